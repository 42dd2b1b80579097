"""From trials to findings: scores, and costs extrapolated to all labelled rows, all tasks and texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from embank.encode.columns import calibrated_on
from embank.encoders.flops import Shape, flops, head_flops
from embank.plan import Cost, Finding, Unmeasured, Way
from embank.plan.costs import Pace, mean_pace
from embank.plan.head_trials import Coded
from embank.plan.trials import NO_TURN, TaskTrials
from embank.plan.ways import way_flops
from embank.recipe import ColumnName

_STATE_BYTES = 2
"""Bytes per number of a state, in float16."""

LEARNING = ("int8", "int4", "binary")
"""Codecs that are calibrated on a sample."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Ground:
    """The measurements that all findings of a plan share.

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


def findings(
    task: TaskTrials, ways: Sequence[Way], ground: Ground
) -> tuple[tuple[Finding, ...], tuple[Unmeasured, ...]]:
    """The measured ways of a task, cheapest first, and the unmeasured ones."""
    scores = task.scores
    found = [_finding(task, way, ground) for way in ways if way.name in scores.guesses]
    lacking = [Unmeasured(way, task.reasons.get(way.name, NO_TURN)) for way in ways if way.name not in scores.guesses]
    return tuple(sorted(found, key=lambda one: one.total_seconds)), tuple(lacking)


def _finding(task: TaskTrials, way: Way, ground: Ground) -> Finding:
    frozen = way.family == "frozen"
    seconds = (_of_heads if frozen else _of_trained)(task, way, ground)
    banked = ground.banked.get(way.name, (0, 0))[0]
    fresh = max(0, ground.texts - banked)
    runs = task.heads.get(way.name) or task.trained.get(way.name) or {}
    return Finding(
        way=way,
        score=task.scores.score(way.name),
        seconds=seconds,
        text_flops=_flops(task, way, ground),
        text_bytes=_bytes(way, ground),
        total_seconds=seconds.total(ground.tasks, ground.texts, fresh),
        banked=banked,
        epochs=None if frozen else task.epochs_on(len(task.rows.texts)),
        trial_seconds=sum(one.seconds for one in runs.values()),
    )


def _of_heads(task: TaskTrials, way: Way, ground: Ground) -> Cost:
    """Seconds of frozen heads."""
    fresh = len(task.rows.texts) - ground.banked.get(way.name, (0, 0))[1]
    # A codec that learns reads a first sample of the texts once more.
    new = way.name not in ground.banked and ColumnName.parse(way.columns[0]).codec in LEARNING
    read = fresh + (calibrated_on(fresh) if new else 0)
    return Cost(
        (ground.pace.opening if fresh else 0.0) + read * ground.pace.reading,
        ground.pace.reading,
        _fit_seconds(task, way, ground),
        float(np.mean([one.predicting for one in task.heads[way.name].values()])),
    )


def _fit_seconds(task: TaskTrials, way: Way, ground: Ground) -> float:
    """Seconds of a fit on all labelled rows, from the largest fits of this width, whatever the codec."""
    alike = [name for name in task.heads if _width(name, ground) == _width(way.name, ground)]
    fits = [one for name in alike for one in task.heads[name].values()]
    if task.whole is not None and next(iter(task.heads)) in alike:
        fits.append(task.whole)
    most = max(one.rows for one in fits)
    count = max(len(task.rows.texts), most)
    return float(np.mean([one.seconds for one in fits if one.rows == most])) / most * count


def _of_trained(task: TaskTrials, way: Way, ground: Ground) -> Cost:
    """Seconds of ways that train layers."""
    count = len(task.rows.texts)
    pace = mean_pace([one.pace for one in task.trained[way.name].values()])
    training = pace.seconds(count, task.epochs_on(count))
    if way.outside:
        return Cost(0.0, 0.0, training, pace.predicting)
    fresh = count - ground.banked.get(way.name, (0, 0))[1]
    reading = ground.pace.until(ground.shape, way.cut)
    return Cost((ground.pace.opening if fresh else 0.0) + fresh * reading, reading, training, pace.predicting)


def _flops(task: TaskTrials, way: Way, ground: Ground) -> float:
    """Operations of one task on a text."""
    shape, tokens, outputs = ground.shape, ground.pace.tokens, task.rows.outputs
    if way.family == "frozen":
        hidden = max(one.hidden for one in task.heads[way.name].values())
        return flops(shape, tokens) + head_flops(_width(way.name, ground), outputs, hidden)
    below = 0.0 if way.outside else flops(shape, tokens, 0, way.cut)
    return below + way_flops(way, shape, tokens) + head_flops(shape.width, outputs)


def _width(way: str, ground: Ground) -> int:
    """Dimensions that frozen heads read."""
    return sum(column.codec.width for column in ground.coded[way].values())


def _bytes(way: Way, ground: Ground) -> float:
    """Bytes per text in the bank, its entry in the catalogue left out."""
    if way.family == "frozen":
        return float(sum(column.text_bytes for column in ground.coded[way.name].values()))
    return ground.pace.tokens * ground.shape.width * _STATE_BYTES if way.columns else 0.0
