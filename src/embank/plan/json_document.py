"""A plan as JSON: written whole, and read as far as a fit needs it. docs/explanation/plans.md describes every key."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embank.errors import InputError
from embank.plan import Finding, Plan, Recommendation, TaskPlan, Way

SCHEMA = "embank-plan/3"
"""The schema that a file states; it changes when a key changes its meaning or goes."""

_DIGITS = 6
"""Significant digits."""


@dataclass(frozen=True)
class Advice:
    """A plan's advice for one task.

    Attributes:
        task: its column of labels.
        way: which way.
        epochs: passes of training; None if nothing is trained through layers.
    """

    task: str
    way: Way
    epochs: int | None


def document(plan: Plan) -> dict[str, Any]:
    """A plan as plain dictionaries and lists."""
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


def plan_json(plan: Plan) -> str:
    """A plan as one line of JSON; `embank fit --plan` reads it."""
    return json.dumps(document(plan), ensure_ascii=False, allow_nan=False)


def read_plan(path: Path) -> list[Advice]:
    """The advice for each task in a plan's JSON; tasks without advice are left out.

    Raises:
        InputError: it cannot be read, or is not a plan of this schema.
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
        raise InputError(f"{path} lacks {fault}: write it again with 'embank plan --json'") from fault


def _advice(one: Mapping[str, Any]) -> Advice:
    way = one["recommendation"]["way"]
    finding = next(finding for finding in one["ways"] if finding["way"] == way)
    known = {key: finding[key] for key in ("family", "title", "cut", "layers")}
    return Advice(str(one["task"]), Way(name=way, columns=tuple(finding["columns"]), **known), finding["epochs"])


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
    found = asdict(way)
    return {"way": found.pop("name"), **found}


def _finding(one: Finding) -> dict[str, Any]:
    score = one.score
    return {
        **_way(one.way),
        "score": _rounded(score.points),
        "low": _rounded(score.low),
        "high": _rounded(score.high),
        "runs": score.runs,
        "held_out": score.rows,
        "training_seconds": _rounded(one.training_seconds),
        "texts_per_second": _rounded(one.texts_per_second),
        "more_per_second": _rounded(one.more_per_second),
        "bytes_per_text": _rounded(one.text_bytes),
        "flops_per_text": _rounded(one.text_flops),
        "seconds": {
            "once": _rounded(one.seconds.once),
            "shared_per_text": _rounded(one.seconds.text),
            "per_task": _rounded(one.seconds.task),
            "per_text_and_task": _rounded(one.seconds.task_text),
        },
        "total_seconds": _rounded(one.total_seconds),
        "banked_texts": one.banked,
        "epochs": one.epochs,
        "trial_seconds": _rounded(one.trial_seconds),
    }


def _recommendation(one: Recommendation) -> dict[str, Any]:
    found = {name: _rounded(value) if isinstance(value, float) else value for name, value in asdict(one).items()}
    return {**found, "way": one.way.name if one.way else None, "best": one.best.name if one.best else None}


def _rounded(number: float) -> float:
    """To the significant digits."""
    return float(f"{number:.{_DIGITS}g}")
