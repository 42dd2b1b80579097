"""From trials to findings: scores, and costs extrapolated to all labelled rows, all tasks and texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from embank.encode.columns import calibrated_on
from embank.encoders.flops import Shape, flops, head_flops, training_flops
from embank.plan import Cost, Finding, Unmeasured, Way
from embank.plan.costs import Pace, mean_pace
from embank.plan.head_trials import Coded
from embank.plan.trials import NO_TURN, TaskTrials
from embank.plan.ways import way_flops, way_training_flops
from embank.recipe import ColumnName

_STATE_BYTES = 2
"""Bytes per number of a state, in float16."""

LEARNING = ("int8", "int4", "binary")
"""Codecs that are calibrated on a sample."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Ground:
    """What all findings of a plan rest on.

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
    """What was measured of a task, cheapest first, and what was not."""
    scores = task.scores
    found = [_finding(task, way, ground) for way in ways if way.name in scores.guesses]
    lacking = [Unmeasured(way, task.reasons.get(way.name, NO_TURN)) for way in ways if way.name not in scores.guesses]
    return tuple(sorted(found, key=lambda one: one.total_seconds)), tuple(lacking)


def _finding(task: TaskTrials, way: Way, ground: Ground) -> Finding:
    seconds, operations = (_of_heads if way.family == "frozen" else _of_trained)(task, way, ground)
    banked = ground.banked.get(way.name, (0, 0))[0]
    fresh = max(0, ground.texts - banked)
    runs = task.heads.get(way.name) or task.trained.get(way.name) or {}
    return Finding(
        way=way,
        score=task.scores.score(way.name),
        seconds=seconds,
        flops=operations,
        text_bytes=_bytes(way, ground),
        total_seconds=seconds.total(ground.tasks, ground.texts, fresh),
        total_flops=operations.total(ground.tasks, ground.texts, fresh),
        banked=banked,
        epochs=None if way.family == "frozen" else task.epochs_on(len(task.rows.texts)),
        trial_seconds=sum(one.seconds for one in runs.values()),
    )


def _of_heads(task: TaskTrials, way: Way, ground: Ground) -> tuple[Cost, Cost]:
    """Seconds and operations of frozen heads."""
    trials, count = list(task.heads[way.name].values()), len(task.rows.texts)
    width = sum(column.codec.width for column in ground.coded[way.name].values())
    fresh = count - ground.banked.get(way.name, (0, 0))[1]
    text = flops(ground.shape, ground.pace.tokens)
    head = head_flops(width, task.rows.outputs, max(one.hidden for one in trials))
    # A codec that learns reads a first sample of the texts once more.
    new = way.name not in ground.banked and ColumnName.parse(way.columns[0]).codec in LEARNING
    read = fresh + (calibrated_on(fresh) if new else 0)
    seconds = Cost(
        (ground.pace.opening if fresh else 0.0) + read * ground.pace.reading,
        ground.pace.reading,
        _fit_seconds(task, way, ground),
        float(np.mean([one.predicting for one in trials])),
    )
    # Of a head's fit the products over rows are counted: each row with each, and what the path over penalties is left.
    return seconds, Cost(read * text, text, 2.0 * count * width**2, head)


def _fit_seconds(task: TaskTrials, way: Way, ground: Ground) -> float:
    """A fit on all labelled rows, from the largest fits with columns of this width: whatever the codec, decoded."""

    def width(name: str) -> int:
        return sum(column.codec.width for column in ground.coded[name].values())

    alike = [name for name in task.heads if width(name) == width(way.name)]
    fits = [one for name in alike for one in task.heads[name].values()]
    if task.whole is not None and next(iter(task.heads)) in alike:
        fits.append(task.whole)
    most = max(one.rows for one in fits)
    count = max(len(task.rows.texts), most)
    return float(np.mean([one.seconds for one in fits if one.rows == most])) / most * count


def _of_trained(task: TaskTrials, way: Way, ground: Ground) -> tuple[Cost, Cost]:
    """Seconds and operations of what is trained through layers."""
    shape, tokens, count = ground.shape, ground.pace.tokens, len(task.rows.texts)
    pace = mean_pace([one.pace for one in task.trained[way.name].values()])
    passes = task.epochs_on(count)
    training = passes * count * way_training_flops(way, shape, tokens)
    if way.family == "student":  # its teacher is trained first, and reads all rows for it
        training += count * (passes * training_flops(flops(shape, tokens)) + flops(shape, tokens))
    text_seconds, text_flops, opening, fresh = 0.0, 0.0, 0.0, 0
    if way.columns:
        fresh = count - ground.banked.get(way.name, (0, 0))[1]
        opening = ground.pace.opening if fresh else 0.0
        text_seconds, text_flops = ground.pace.until(shape, way.cut), flops(shape, tokens, 0, way.cut)
    head = head_flops(shape.width, task.rows.outputs)
    seconds = Cost(opening + fresh * text_seconds, text_seconds, pace.seconds(count, passes), pace.predicting)
    own = way_flops(way, shape, tokens) + head
    return seconds, Cost(fresh * text_flops, text_flops, training, own)


def _bytes(way: Way, ground: Ground) -> float:
    """Bytes per text in the bank, its entry in the catalogue left out."""
    if way.family == "frozen":
        return float(sum(column.text_bytes for column in ground.coded[way.name].values()))
    return ground.pace.tokens * ground.shape.width * _STATE_BYTES if way.columns else 0.0
