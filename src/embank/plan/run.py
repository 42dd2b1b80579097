"""A plan, from labels to advice: read, time, size, try, compare. The bank itself is only read."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from embank.encoders.backends import processor
from embank.encoders.flops import Shape
from embank.encoders.load import open_torch_encoder
from embank.errors import UsageError
from embank.fit.examples import HELD_BACK
from embank.plan import Plan, PlanSettings, PlanWatch, TaskPlan, Way
from embank.plan.advice import Offer, for_task, mean_costs, offers_of, overall
from embank.plan.break_even import balance
from embank.plan.budget import Budget, OutOfTimeError
from embank.plan.costs import BATCH, FEWEST_EPOCHS, STEPS
from embank.plan.encoder_pass import Opened, coded, opened, read_texts
from embank.plan.findings import Ground, findings
from embank.plan.head_trials import Coded
from embank.plan.rows import FOLDS, Fold, TaskRows, folds_of, protocol, task_rows, used
from embank.plan.training_trials import TrainingTrials
from embank.plan.trials import TaskTrials, try_heads, try_training
from embank.plan.ways import frozen_ways, trained_ways, way_training_flops
from embank.session import Session
from embank.store.catalogue import UNKNOWN
from embank.texts import NumberedTexts, numbered

_RESERVE = 0.02
"""The share of the minutes that is kept for arithmetic at the end."""

_HEADS = 0.25
_READING = 0.25
"""Shares of what is left that heads, and reading, may take."""

_LEAST_ROWS = 200
"""Rows that trials use at least, however little time there is."""

_MOST_BYTES = 2e9
"""Of states in memory."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Stage:
    """The inputs of all trials, once the encoder has been timed."""

    texts: NumberedTexts
    rows: Sequence[TaskRows]
    opened: Opened
    shape: Shape
    trained: Sequence[Way]
    notes: tuple[str, ...]

    @property
    def ways(self) -> list[Way]:
        """Frozen heads, then those that are trained through layers."""
        return [*frozen_ways(dict(self.opened.columns)), *self.trained]

    @property
    def cuts(self) -> list[int]:
        """Layers whose states tails start from."""
        return sorted({way.cut for way in self.trained if way.columns})


def make_plan(
    session: Session,
    texts: Sequence[Any],
    labels: Mapping[str, Sequence[Any]],
    settings: PlanSettings,
    watch: PlanWatch,
) -> Plan:
    """Measure ways to serve tasks, and say which one pays.

    Args:
        session: the open bank.
        texts: one per row: strings or pairs.
        labels: one per row, by the name of their column; each column is a task.
        settings: numbers of tasks and texts, tolerance, minutes.
        watch: progress callback.

    Raises:
        UsageError: no labels, unequal lengths, an unknown kind.
        HeadError: a column with one class only, or too few labels.
        EncoderError: the encoder cannot be found or loaded.
        ExtraMissingError: torch is not installed.
    """
    budget = Budget(60 * settings.minutes * (1 - _RESERVE))
    distinct = numbered(texts)
    rows = _task_rows(distinct, labels, settings.kind)
    tasks = settings.tasks or len(rows)
    different = len(distinct.texts)
    count = settings.texts or max(session.store.catalogue.n_texts(), different)
    shuffled = [distinct.texts[at] for at in np.random.default_rng(settings.seed).permutation(different).tolist()]
    watch("opening the encoder, and timing it")
    first = opened(session, shuffled, different + count, budget)
    load_encoder = partial(open_torch_encoder, first.located)
    with TemporaryDirectory() as folder:
        trainer = TrainingTrials(
            load_encoder=load_encoder, texts=distinct.texts, states={}, folder=Path(folder), budget=budget
        )
        stage = _staged(distinct, rows, first, trainer.shape())
        measured, columns = _measured(stage, trainer, session, settings.seed, watch)
    notes = stage.notes if columns else (*stage.notes, "The time was up before the texts were read.")
    banked = _banked(session, stage)
    ground = Ground(pace=first.pace, shape=stage.shape, coded=columns, banked=banked, tasks=tasks, texts=count)
    compared = [_compared(one, stage.ways, ground, settings.tolerance) for one in measured]
    plans = [plan for plan, _ in compared]
    means = mean_costs(plans)
    facts = f"{first.encoder.facts.name}, {first.located.origin}, {first.located.layers} layers"
    return Plan(
        machine=machine(),
        encoder=f"{facts}, {first.encoder.facts.compute}",
        tokens=first.pace.tokens,
        tokens_per_second=first.pace.tokens_per_second,
        tasks=tasks,
        texts=count,
        tolerance=settings.tolerance,
        minutes=settings.minutes,
        seconds=budget.spent,
        plans=tuple(plans),
        overall=overall(compared, settings.tolerance),
        balances=tuple(balance(bank, means, tasks, count) for bank in ("empty", "filled")),
        notes=notes,
        means=means,
    )


def _compared(
    task: TaskTrials, ways: Sequence[Way], ground: Ground, tolerance: float
) -> tuple[TaskPlan, Sequence[Offer]]:
    """The ways of one task with its advice, and the offers that the advice chose from."""
    found, lacking = findings(task, ways, ground)
    offers = offers_of(found, task.scores) if found else []
    plan = TaskPlan(
        task=task.rows.task,
        kind=task.rows.kind,
        measure=task.rows.measure,
        rows=len(task.rows.texts),
        tried=len(used(task.folds)),
        protocol=f"{protocol(task.folds)}; trainings make {task.epochs} passes",
        findings=found,
        unmeasured=lacking,
        recommendation=for_task(task.rows.task, found, lacking, offers, tolerance),
    )
    return plan, offers


def _task_rows(texts: NumberedTexts, labels: Mapping[str, Sequence[Any]], kind: str) -> list[TaskRows]:
    """The labelled texts of each task."""
    if not labels:
        raise UsageError("a plan needs a column of labels for each task: --label COL, again for more")
    for task, own in labels.items():
        if len(own) != len(texts.rows):
            raise UsageError(
                f"found {len(texts.rows)} texts and {len(own)} labels of {task!r}; expected one label per text"
            )
    return [task_rows(task, texts.rows, own, kind) for task, own in labels.items()]


def _staged(texts: NumberedTexts, rows: Sequence[TaskRows], first: Opened, shape: Shape) -> _Stage:
    located = first.located
    trained = trained_ways(located.name, located.folder.family, located.layers)
    notes: tuple[str, ...] = ()
    if located.reading.long != "cut":
        trained = [way for way in trained if not way.columns]
        notes = ("Long texts are read in windows, and states are not kept of those: no tails were tried.",)
    elif not any(way.columns for way in trained):
        notes = (f"Encoders of family {located.folder.family} cannot be cut at a layer: no tails were tried.",)
    return _Stage(texts=texts, rows=rows, opened=first, shape=shape, trained=trained, notes=notes)


def _measured(
    stage: _Stage, trainer: TrainingTrials, session: Session, seed: int, watch: PlanWatch
) -> tuple[list[TaskTrials], dict[str, dict[str, Coded]]]:
    """All trials that fit into the budget, and the columns of frozen heads; none of these if texts were not read."""
    budget = trainer.budget
    most = _most_rows(stage, budget)
    measured = [TaskTrials(rows=one, folds=folds_of(one, most, seed)) for one in stage.rows]
    numbers = np.unique(np.concatenate([one.rows.texts[used(one.folds)] for one in measured]))
    watch(f"reading {len(numbers):,} texts once")
    try:
        readings = read_texts(stage.opened, stage.texts.texts, numbers, stage.cuts, budget)
    except OutOfTimeError:
        return measured, {}
    for one in measured:
        one.folds = _readable(one, readings.places)
    columns = {f"frozen/{name}": own for name, own in coded(stage.opened, session, readings).items()}
    weights = _weights(stage)
    for at, one in enumerate(measured):
        own = replace(trainer, states=readings.states, budget=budget.part(1 / (len(measured) - at)))
        places = readings.places[one.rows.texts]
        for fold in one.folds:
            try_heads(one, fold, columns, places, own.budget.part(_HEADS), watch)
            try_training(one, fold, weights, own.trial, own.budget, watch)
    return measured, columns


def _most_rows(stage: _Stage, budget: Budget) -> int:
    """Rows of each task that are tried: as many as the steps of a trial see, and time and memory allow."""
    pace = stage.opened.pace
    readable = int(budget.left * _READING / max(pace.reading, 1e-9))
    kept = int(_MOST_BYTES / (pace.tokens * stage.shape.width * 2 * max(1, len(stage.cuts))))
    trained = STEPS * BATCH / FEWEST_EPOCHS / (1 - HELD_BACK)
    return max(_LEAST_ROWS, min(readable, kept, int(trained * FOLDS / (FOLDS - 1))))


def _weights(stage: _Stage) -> dict[Way, float]:
    """Relative cost of a trial of each way, by operations; a student's includes its teacher's."""
    tokens = stage.opened.pace.tokens
    own = {way: way_training_flops(way, stage.shape, tokens) for way in stage.trained}
    whole = max(own.values())
    return {way: weight + (whole if way.family == "student" else 0.0) for way, weight in own.items()}


def _readable(task: TaskTrials, places: np.ndarray) -> tuple[Fold, ...]:
    """The folds without texts that the encoder could not read."""
    known = places[task.rows.texts] >= 0
    return tuple(Fold(one.number, one.train[known[one.train]], one.test[known[one.test]]) for one in task.folds)


def _banked(session: Session, stage: _Stage) -> dict[str, tuple[int, int]]:
    """For each way, the bank's texts that have all its columns, and the labelled texts among them."""
    store = session.store
    present = store.catalogue.columns()
    labelled = store.catalogue.lookup(stage.texts.keys) if present else np.empty(0, np.int64)
    labelled = labelled[labelled != UNKNOWN]
    found = {}
    for way in stage.ways:
        if way.columns and all(name in present for name in way.columns):
            readers = [store.reader(name) for name in way.columns]
            known = np.all([reader.has(labelled) for reader in readers], axis=0) if len(labelled) else np.empty(0)
            found[way.name] = (min(reader.n_rows for reader in readers), int(known.sum()))
    return found


def machine() -> str:
    """The processor, its cores, the system and the Python."""
    name = processor() or platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
