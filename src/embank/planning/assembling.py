"""From trials to findings: scores on the same runs, and costs brought to all labelled rows, all tasks and texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embank.codecs import codec_class
from embank.codecs.steps import limit_of
from embank.encode.columns import calibrated_on
from embank.encoders.flops import Shape, flops, head_flops
from embank.planning import Cost, Finding, PlanSettings, Unmeasured, Way
from embank.planning.costs import Pace, TrainingPace, extrapolated, mean_pace, passes_of
from embank.planning.estimating import way_flops, way_training_flops
from embank.planning.frozen import Coded
from embank.planning.intervals import score
from embank.planning.measuring import Measured
from embank.planning.shrinking import expected
from embank.recipe import ColumnName

_STATE_BYTES = 2


@dataclass(frozen=True, eq=False)
class Ground:
    """What all findings of a plan stand on.

    Attributes:
        pace: of the encoder.
        shape: of the encoder.
        coded: columns of frozen heads, by the way's name.
        banked: texts that the bank has all columns of a way of, and labelled ones among them, by the way's name.
        tasks: how many there will be.
        texts: that each is predicted on.
    """

    pace: Pace
    shape: Shape
    coded: Mapping[str, Mapping[str, Coded]]
    banked: Mapping[str, tuple[int, int]]
    tasks: int
    texts: int


def findings(task: Measured, ways: Sequence[Way], ground: Ground) -> tuple[tuple[Finding, ...], tuple[Unmeasured, ...]]:
    """What was measured of a task, cheapest first, and what was not."""
    found = [_finding(task, way, ground) for way in ways if task.scores(way.name)]
    steady = expected({name: task.standing(name) for name in task.trained})
    found = [
        replace(one, score=replace(one.score, expected=steady.get(one.way.name, one.score.points))) for one in found
    ]
    lacking = [
        Unmeasured(way, task.reasons.get(way.name, "the time was up before it was its turn"))
        for way in ways
        if not task.scores(way.name)
    ]
    return tuple(sorted(found, key=lambda one: one.total_seconds)), tuple(lacking)


def _finding(task: Measured, way: Way, ground: Ground) -> Finding:
    seconds, operations, pace = (_of_heads if way.family == "frozen" else _of_trained)(task, way, ground)
    banked = ground.banked.get(way.name, (0, 0))[0]
    fresh = max(0, ground.texts - banked)
    runs = task.heads.get(way.name) or task.trained.get(way.name) or {}
    spent = sum(one.seconds for one in runs.values())
    return Finding(
        way,
        score(task.scores(way.name), task.reference, folds=task.trials.folds),
        seconds,
        operations,
        training_seconds=seconds.task,
        texts_per_second=1 / max(seconds.text + seconds.task_text, 1e-12),
        more_per_second=1 / max(seconds.task_text, 1e-12),
        text_bytes=_bytes(way, ground),
        text_flops=operations.text + operations.task_text,
        total_seconds=seconds.total(ground.tasks, ground.texts, fresh),
        total_flops=operations.total(ground.tasks, ground.texts, fresh),
        banked=banked,
        passes=pace.passes if pace else 0.0,
        epochs=task.epochs_on(len(task.trials.rows.texts)) if pace else None,
        trial_seconds=spent,
    )


def _of_heads(task: Measured, way: Way, ground: Ground) -> tuple[Cost, Cost, TrainingPace | None]:
    rows, trials = task.trials.rows, list(task.heads[way.name].values())
    count = len(rows.texts)
    width = sum(column.codec.width for column in ground.coded[way.name].values())
    hidden = max(one.hidden for one in trials)
    fresh = count - ground.banked.get(way.name, (0, 0))[1]
    text = flops(ground.shape, ground.pace.tokens)
    head = head_flops(width, rows.outputs, hidden)
    # A codec that learns reads a first sample of the texts once more.
    new = way.name not in ground.banked and codec_class(ColumnName.parse(way.columns[0]).codec).learns
    read = fresh + (calibrated_on(fresh) if new else 0)
    seconds = Cost(
        (ground.pace.opening if fresh else 0.0) + read * ground.pace.reading,
        ground.pace.reading,
        extrapolated(_fits(task, way, ground), count),
        float(np.mean([one.predicting for one in trials])),
    )
    # Of a head's fit the products over rows are counted: each row with each, and what the path over penalties is left.
    return seconds, Cost(read * text, text, 2.0 * count * width**2, head), None


def _fits(task: Measured, way: Way, ground: Ground) -> list[tuple[int, float]]:
    """Rows and seconds of fits: those of all precisions of one width, since a fit reads decoded numbers of any."""

    def width(name: str) -> int:
        return sum(column.codec.width for column in ground.coded[name].values())

    several = [name for name in task.heads if width(name) == width(way.name)]
    seconds = [(one.rows, one.seconds * task.heavier) for name in several for one in task.heads[name].values()]
    if task.smaller is not None:
        size, share = task.smaller
        seconds.append((size, share * float(np.mean([own for _, own in seconds]))))
    return seconds


def _of_trained(task: Measured, way: Way, ground: Ground) -> tuple[Cost, Cost, TrainingPace | None]:
    rows, shape, tokens = task.trials.rows, ground.shape, ground.pace.tokens
    pace = mean_pace([one.pace for one in task.trained[way.name].values()])
    count = len(rows.texts)
    pace = replace(pace, passes=passes_of(pace.passes, (task.epochs, task.epochs_on(count))))
    own = way_flops(way, shape, tokens)
    training = pace.passes * count * way_training_flops(way, shape, tokens)
    text_seconds, text_flops, once_seconds, once_flops = 0.0, 0.0, 0.0, 0.0
    if way.columns:
        fresh = count - ground.banked.get(way.name, (0, 0))[1]
        text_seconds, text_flops = ground.pace.until(shape, way.cut), flops(shape, tokens, 0, way.cut)
        once_seconds = (ground.pace.opening if fresh else 0.0) + fresh * text_seconds
        once_flops = fresh * text_flops
    if way.family == "student":  # its teacher is trained first, and reads all rows for it
        teacher = task.trained.get("finetune", {})
        passes = float(np.mean([one.pace.passes for one in teacher.values()])) if teacher else pace.passes
        training += count * flops(shape, tokens) * (3 * passes + 1)
    head = head_flops(shape.width, rows.outputs)
    seconds = Cost(once_seconds, text_seconds, pace.seconds(count), pace.predicting)
    return seconds, Cost(once_flops, text_flops, training, own + head), pace


def _bytes(way: Way, ground: Ground) -> float:
    """What a text takes in the bank, its entry in the catalogue left out."""
    if way.family == "frozen":
        return float(sum(column.text_bytes for column in ground.coded[way.name].values()))
    if not way.columns:
        return 0.0
    steps = ColumnName.parse(way.columns[0]).steps
    kept = min(ground.pace.tokens, limit_of(steps[0])[1]) if steps else ground.pace.tokens
    return kept * ground.shape.width * _STATE_BYTES


def sizes(settings: PlanSettings, tasks: int, texts: int) -> tuple[int, int]:
    """Tasks and texts that a plan is made for: those that the user said, or those that there are."""
    return settings.tasks or tasks, settings.texts or texts
