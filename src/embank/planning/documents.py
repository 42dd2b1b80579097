"""Plans as JSON: written whole, and read as far as a fit needs them. docs/explanation/plans.md describes every key."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embank.errors import InputError, UsageError
from embank.planning import OUTSIDE, Cost, Finding, Plan, Recommendation, TaskPlan, Way

SCHEMA = "embank-plan/1"
"""What a file of this form says of itself; it changes where a key changes its meaning or goes."""

_DIGITS = 6


@dataclass(frozen=True)
class Advice:
    """What a plan advises for one task.

    Attributes:
        task: its column of labels.
        way: the name of the way.
        family: of the way.
        columns: that it reads.
        method: how its tail is trained.
        epochs: most passes of training; None where nothing is trained through layers.
        layers: of a student.
    """

    task: str
    way: str
    family: str
    columns: tuple[str, ...]
    method: str
    epochs: int | None
    layers: int

    @property
    def outside(self) -> bool:
        """Whether it lives outside a bank."""
        return self.family in OUTSIDE


def document(plan: Plan) -> dict[str, Any]:
    """A plan as JSON takes it; see docs/explanation/plans.md."""
    return {
        "schema": SCHEMA,
        "machine": plan.machine,
        "encoder": plan.encoder,
        "tokens_per_text": _rounded(plan.tokens),
        "tokens_per_second": _rounded(plan.tokens_per_second),
        "tasks": plan.tasks,
        "texts": plan.texts,
        "tolerance": plan.tolerance,
        "minutes": plan.minutes,
        "seconds": _rounded(plan.seconds),
        "plans": [_task(one) for one in plan.plans],
        "overall": _recommendation(plan.overall),
        "balances": [asdict(one) for one in plan.balances],
        "notes": list(plan.notes),
    }


def dumped(plan: Plan) -> str:
    """A plan as a JSON text of one line."""
    return json.dumps(document(plan), ensure_ascii=False, allow_nan=False)


def read_advice(path: Path) -> list[Advice]:
    """What a plan's JSON advises for each of its tasks; those without advice are left out.

    Raises:
        InputError: it cannot be read, or is no plan of this form.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise InputError(f"{path} cannot be read as JSON ({fault}): give what 'embank plan --json' wrote") from fault
    found = given.get("schema") if isinstance(given, dict) else None
    if found != SCHEMA:
        raise InputError(f"{path} says schema {found!r}, expected {SCHEMA!r}: give what 'embank plan --json' wrote")
    try:
        return [_advice(one) for one in given["plans"] if one["recommendation"]["way"] is not None]
    except (KeyError, TypeError, AttributeError) as fault:
        raise InputError(f"{path} lacks {fault}: write it anew with 'embank plan --json'") from fault


def advice_for(advice: list[Advice], task: str, path: Path) -> Advice:
    """What is advised for one task.

    Raises:
        UsageError: the plan has none for it; the message lists those it has.
    """
    for one in advice:
        if one.task == task:
            return one
    there = ", ".join(one.task for one in advice) or "none"
    raise UsageError(f"{path} advises nothing for {task!r}; it has: {there}")


def _advice(one: Mapping[str, Any]) -> Advice:
    way = one["recommendation"]["way"]
    finding = next(finding for finding in one["ways"] if finding["way"] == way)
    return Advice(
        str(one["task"]),
        str(way),
        str(finding["family"]),
        tuple(finding["columns"]),
        str(finding["method"]),
        finding["epochs"],
        int(finding["layers"]),
    )


def _task(plan: TaskPlan) -> dict[str, Any]:
    return {
        "task": plan.task,
        "kind": plan.kind,
        "measure": plan.measure,
        "labelled_texts": plan.rows,
        "tried_texts": plan.tried,
        "protocol": plan.protocol,
        "ways": [_finding(one) for one in plan.findings],
        "unmeasured": [{**_way(one.way), "reason": one.reason} for one in plan.unmeasured],
        "recommendation": _recommendation(plan.recommendation),
    }


def _way(way: Way) -> dict[str, Any]:
    return {
        "way": way.name,
        "family": way.family,
        "title": way.title,
        "columns": list(way.columns),
        "cut": way.cut,
        "method": way.method if way.family in ("tail", "limited") else "",
        "layers": way.layers,
    }


def _finding(one: Finding) -> dict[str, Any]:
    score = one.score
    return {
        **_way(one.way),
        "score": _rounded(score.points),
        "low": _rounded(score.low),
        "high": _rounded(score.high),
        "expected": _rounded(score.expected),
        "interval": score.interval,
        "runs": score.runs,
        "held_out": score.rows,
        "training_seconds": _rounded(one.training_seconds),
        "texts_per_second": _rounded(one.texts_per_second),
        "more_per_second": _rounded(one.more_per_second),
        "bytes_per_text": _rounded(one.text_bytes),
        "flops_per_text": _rounded(one.text_flops),
        "seconds": _cost(one.seconds),
        "flops": _cost(one.flops),
        "total_seconds": _rounded(one.total_seconds),
        "total_flops": _rounded(one.total_flops),
        "banked_texts": one.banked,
        "passes": _rounded(one.passes),
        "epochs": one.epochs,
        "trial_seconds": _rounded(one.trial_seconds),
    }


def _cost(cost: Cost) -> dict[str, float]:
    return {
        "once": _rounded(cost.once),
        "shared_per_text": _rounded(cost.text),
        "per_task": _rounded(cost.task),
        "per_text_and_task": _rounded(cost.task_text),
    }


def _recommendation(one: Recommendation) -> dict[str, Any]:
    return {
        "way": one.way.name if one.way else None,
        "best": one.best.name if one.best else None,
        "words": one.words,
        "within_noise": list(one.noise),
        "certain": one.certain,
    }


def _rounded(number: float) -> float:
    """So many digits that count."""
    return float(f"{number:.{_DIGITS}g}")
