"""A plan, from labels to advice: read, time, size, try, compare. The bank itself is only read."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from embank.encoders.flops import Shape, shape_of
from embank.encoders.load import open_encoder
from embank.errors import UsageError
from embank.fit.examples import HELD_BACK
from embank.planning import OPERATIONS, SECONDS, Balance, Plan, PlanSettings, TaskPlan, Telling, Way
from embank.planning.assembling import Ground, findings, sizes
from embank.planning.breakeven import balance
from embank.planning.costs import BATCH, FEWEST_EPOCHS, steps_of
from embank.planning.estimating import Rates, training_rate
from embank.planning.frozen import Coded
from embank.planning.material import MOST_SPARE, TaskRows, Trials, dealt, numbered, task_rows
from embank.planning.measuring import Measured, measure_heads, measure_trained
from embank.planning.reading import Opened, Readings, coded, opened, read_texts
from embank.planning.recommending import for_task, mean_costs, overall, with_gaps
from embank.planning.schedule import Budget, Clock, OutOfTimeError
from embank.planning.tuning import Workshop
from embank.planning.ways import frozen_ways, trained_ways
from embank.session import Session
from embank.store.catalogue import UNKNOWN
from embank.texts import Text, keys_and_faults

_RESERVE = 0.02
"""The share of the minutes that is kept for arithmetic at the end."""

_HEADS = 0.25
_TRAINING = 0.8
_READING = 0.25
"""Shares of what is left: heads may take so much; trainings are sized to so much of the rest; reading to so much."""

_LEAST_ROWS = 200
_MOST_BYTES = 2e9


@dataclass(frozen=True, eq=False)
class Request:
    """What a plan is asked for.

    Attributes:
        texts: of the rows of a user's file: strings or pairs.
        labels: one a row, by the name of their column; each column is a task.
        settings: what the user said.
        watch: told what is being measured.
        clock: seconds that only grow.
    """

    texts: Sequence[Any]
    labels: Mapping[str, Sequence[Any]]
    settings: PlanSettings
    watch: Telling
    clock: Clock = time.monotonic


@dataclass(frozen=True, eq=False)
class _Stage:
    """What is known once the encoder has been timed."""

    texts: Sequence[Text]
    rows: Sequence[TaskRows]
    opened: Opened
    shape: Shape
    ways: Sequence[Way]
    notes: tuple[str, ...]

    @property
    def cuts(self) -> list[int]:
        """Layers whose states tails start from."""
        return sorted({way.cut for way in self.ways if way.columns})


def make_plan(session: Session, request: Request) -> Plan:
    """Measure ways to serve tasks, and say which one pays.

    Args:
        session: of the bank.
        request: rows, labels and settings.

    Raises:
        UsageError: no labels, unequal lengths, an unknown kind.
        HeadError: a column with one class only, or too few labels.
        EncoderError: the encoder cannot be found or loaded.
    """
    settings = request.settings
    budget = Budget(60 * settings.minutes * (1 - _RESERVE), request.clock)
    if not request.labels:
        raise UsageError("a plan needs a column of labels for each task: --label COL, again for more")
    for task, labels in request.labels.items():
        if len(labels) != len(request.texts):
            found = f"there are {len(request.texts)} texts and {len(labels)} labels of {task!r}"
            raise UsageError(f"{found}; one label a text is needed")
    rows_of, texts = numbered(request.texts)
    rows = [task_rows(task, rows_of, labels, settings.kind) for task, labels in request.labels.items()]
    count, most = sizes(settings, len(rows), max(session.store.catalogue.n_texts(), len(texts)))
    shuffled = np.random.default_rng(settings.seed).permutation(len(texts))
    request.watch("opening the encoder, and timing it")
    first = opened(session, [texts[at] for at in shuffled.tolist()], len(texts) + most, budget)
    with TemporaryDirectory() as folder:
        upper = _upper(session, first)
        shop = Workshop(upper, texts, {}, Path(folder), budget)
        stage = _staged(texts, rows, first, upper().model.config)
        measured, columns, notes = _measured(stage, shop, shuffled, (session, request))
    ground = Ground(first.pace, stage.shape, columns, _banked(session, stage), count, most)
    plans = tuple(_task_plan(one, stage, ground, settings) for one in measured)
    means = mean_costs(plans)
    return Plan(
        machine(),
        str(first.encoder.facts.name) + f", {first.located.origin}, {first.located.layers} layers, "
        f"{first.encoder.facts.compute}",
        first.pace.tokens,
        first.pace.tokens_per_second,
        count,
        most,
        settings.tolerance,
        settings.minutes,
        budget.spent,
        plans,
        overall(plans, settings.tolerance, count, most),
        _balances(means, count, most),
        (*stage.notes, *notes),
        means,
    )


def _upper(session: Session, first: Opened) -> Any:
    """Loads the encoder once more, for a trial to take apart."""
    return lambda: open_encoder(first.located, "torch", "float32", session.options.compute.folder)


def _staged(texts: Sequence[Text], rows: Sequence[TaskRows], first: Opened, config: Any) -> _Stage:
    located = first.located
    trained = trained_ways(located.name, located.folder.family, located.layers)
    notes: tuple[str, ...] = ()
    if located.reading.long != "cut":
        trained = [way for way in trained if not way.columns]
        notes = ("Long texts are read in windows, and states are not kept of those: no tails were tried.",)
    elif not any(way.columns for way in trained):
        notes = (f"Encoders of family {located.folder.family} cannot be cut at a layer: no tails were tried.",)
    ways = [*frozen_ways(dict(first.columns)), *trained]
    return _Stage(texts, rows, first, shape_of(config), ways, notes)


def _measured(
    stage: _Stage, shop: Workshop, shuffled: np.ndarray, asked: tuple[Session, Request]
) -> tuple[list[Measured], dict[str, dict[str, Coded]], tuple[str, ...]]:
    """All trials that fit into the budget."""
    session, request = asked
    budget, rows = shop.budget, stage.rows
    try:
        request.watch("timing a few steps of training")
        rates = training_rate(shop, shuffled.tolist(), stage.shape)
        measured = _sized(stage, rates, budget, request.settings.seed)
        numbers = np.unique(np.concatenate([one.trials.rows.texts[one.trials.used] for one in measured]))
        request.watch(f"reading {len(numbers):,} texts once")
        readings = read_texts(stage.opened.encoder, (stage.texts, numbers), stage.opened.readouts, stage.cuts, budget)
    except OutOfTimeError:
        unread = [dealt(one, _LEAST_ROWS, request.settings.seed) for one in rows]
        return [Measured(one, 0) for one in unread], {}, ("The time was up before the texts were read.",)
    measured = [replace(one, trials=_readable(one.trials, readings)) for one in measured]
    by_precision = coded(stage.opened, session, readings)
    columns = {f"frozen/{precision}": own for precision, own in by_precision.items()}
    heads = budget.part(_HEADS)
    for at, one in enumerate(measured):
        places = readings.places[one.trials.rows.texts]
        measure_heads(one, columns, places, heads.part(1 / (len(measured) - at)), request.watch)
    trained = [way for way in stage.ways if way.family != "frozen"]
    for at, one in enumerate(measured):
        own = Workshop(shop.upper, stage.texts, readings.states, shop.folder, budget.part(1 / (len(measured) - at)))
        measure_trained(one, trained, own, rates, request.watch)
    return measured, columns, ()


def _sized(stage: _Stage, rates: Rates, budget: Budget, seed: int) -> list[Measured]:
    """Rows of each task that are tried, and the steps over them: enough of them, of every way if time allows."""
    left, tasks = budget.left, len(stage.rows)
    pace = stage.opened.pace
    step = BATCH * rates.row_pass * sum(rates.ratio(way) for way in stage.ways if way.family != "frozen")
    steps = steps_of(left * (1 - _HEADS) * _TRAINING / tasks, step)
    weight = pace.tokens * stage.shape.width * 2 * max(1, len(stage.cuts))
    readable = min(int(left * _READING / max(pace.reading, 1e-9)) - MOST_SPARE, int(_MOST_BYTES / max(weight, 1)))
    most = max(_LEAST_ROWS, min(readable, int(steps * BATCH / FEWEST_EPOCHS / (1 - HELD_BACK))))
    return [Measured(dealt(one, min(len(one.texts), most), seed), steps) for one in stage.rows]


def _readable(trials: Trials, readings: Readings) -> Trials:
    """The same without texts that the encoder could not read."""
    there = readings.places[trials.rows.texts] >= 0
    runs = tuple(type(run)(run.number, run.train[there[run.train]], run.test[there[run.test]]) for run in trials.runs)
    return Trials(trials.rows, runs, trials.folds)


def _task_plan(one: Measured, stage: _Stage, ground: Ground, settings: PlanSettings) -> TaskPlan:
    rows = one.trials.rows
    found, lacking = findings(one, stage.ways, ground)
    scores = {finding.way.name: one.scores(finding.way.name) for finding in found}
    advice = for_task(found, scores, (settings, ground.tasks, ground.texts), folds=one.trials.folds)
    advice = with_gaps(advice, lacking)
    protocol = one.trials.protocol
    if one.steps:
        protocol += f"; trainings made {one.epochs} passes"
    return TaskPlan(
        rows.task, rows.kind, rows.measure, len(rows.texts), len(one.trials.used), protocol, found, lacking, advice
    )


def _banked(session: Session, stage: _Stage) -> dict[str, tuple[int, int]]:
    """For each way, the bank's texts that have all its columns, and the labelled texts among them."""
    store = session.store
    there = store.catalogue.columns()
    keys, _ = keys_and_faults(stage.texts)
    labelled = store.catalogue.lookup([key for key in keys if key is not None]) if len(there) else np.empty(0, np.int64)
    labelled = labelled[labelled != UNKNOWN]
    found = {}
    for way in stage.ways:
        if way.columns and all(name in there for name in way.columns):
            readers = [store.reader(name) for name in way.columns]
            known = np.all([reader.has(labelled) for reader in readers], axis=0) if len(labelled) else np.empty(0)
            found[way.name] = (min(reader.n_rows for reader in readers), int(known.sum()))
    return found


def _balances(means: Mapping[str, Any], tasks: int, texts: int) -> tuple[Balance, ...]:
    return tuple(
        balance(unit, bank, {name: costs[at] for name, costs in means.items()}, tasks, texts)
        for at, unit in enumerate((SECONDS, OPERATIONS))
        for bank in ("empty", "filled")
    )


def machine() -> str:
    """The processor and what of it there is."""
    name = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.is_file():
        lines = described.read_text(errors="replace").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = models[0] if models else name
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
