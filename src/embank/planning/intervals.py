"""How sure a score is: intervals over folds, or over resampled rows, and differences on the same rows.

Resampled rows do not show what another training would have given. Where runs differ by their seed, their variance is
added; where they are folds, their variance holds that of the rows already, and the larger of the two counts: three
folds may agree by luck. A score says in words what its interval is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from embank.errors import HeadError
from embank.labels.kinds import Kind
from embank.metrics.classification import PRIMARY, measures
from embank.planning import Score
from embank.reports.wording import counted

RESAMPLES = 100
POINTS = 100.0
"""A measure of 1 is so many points."""

_NORMAL = 1.96


@dataclass(frozen=True, eq=False)
class Scored:
    """The score of one run.

    Attributes:
        points: of the primary measure.
        rows: that it was scored on.
        resamples: points on resampled rows, the same rows for all ways of a run; None where only the measure is known.
        bounded: the measure is a share, 0 to 1.
    """

    points: float
    rows: int
    resamples: Float64[np.ndarray, " resamples"] | None = None
    bounded: bool = True

    @property
    def variance(self) -> float:
        """Of the points, over rows: from resamples, or that of a share."""
        if self.resamples is not None:
            return float(np.var(self.resamples))
        share = min(max(self.points / POINTS, 0.0), 1.0)
        return POINTS**2 * share * (1 - share) / max(self.rows, 1) if self.bounded else float("nan")


Runs = Mapping[int, Scored]
"""Scores of a way by the number of the run."""


def scored(truth: Any, predicted: Any, kind: Kind, seed: int) -> Scored:
    """Score predictions.

    Args:
        truth: labels `[texts]`, a 0/1 matrix `[texts, labels]`, or numbers `[texts]`.
        predicted: the same of the same shape.
        kind: of the task.
        seed: of the resampling; ways that are scored with the same one can be compared row by row.
    """
    right, guess = np.asarray(truth), np.asarray(predicted)
    if kind == "single":  # numbers are compared quicker than names
        names, codes = np.unique(np.concatenate([right.astype(str), guess.astype(str)]), return_inverse=True)
        del names
        right, guess = codes[: len(right)], codes[len(right) :]
    measure = PRIMARY[kind]
    points = POINTS * measures(right, guess, kind)[measure]
    random = np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLES):
        rows = random.integers(len(right), size=len(right))
        try:
            found.append(POINTS * measures(right[rows], guess[rows], kind)[measure])
        except HeadError:  # rows that cannot be measured, as where all are alike
            found.append(points)
    return Scored(points, len(right), np.array(found), bounded=kind != "regression")


def score(runs: Runs, reference: Runs, *, folds: bool) -> Score:
    """The score of a way over its runs, with nothing taken out of it.

    Args:
        runs: of the way.
        reference: runs of a way that was run most often; brings others to the same runs by their difference.
        folds: whether runs have held-out rows of their own, or share them.
    """
    points = float(np.mean(moved(runs, reference)))
    rows = round(float(np.mean([one.rows for one in runs.values()])))
    half = _half(runs, folds=folds)
    of = counted(len(runs), "fold" if folds else "seed")
    words = f"normal, resampled rows of {of}"
    if any(one.resamples is None for one in runs.values()):
        words = f"normal, that of a share of the rows, {of}"
    if not np.isfinite(half):
        return Score(points, points, points, "unknown: one measure of one run", len(runs), rows, points)
    return Score(points, points - half, points + half, words, len(runs), rows, points)


@dataclass(frozen=True)
class Difference:
    """How much better one way is than another, in points, with an interval of 95 %."""

    points: float
    low: float
    high: float


def difference(better: Runs, worse: Runs, points: float, *, folds: bool) -> Difference:
    """The interval of a difference, on the runs that both had.

    Args:
        better: runs of one way.
        worse: of the other.
        points: the difference of their scores.
        folds: as in `score`.
    """
    common = sorted(set(better) & set(worse))
    gaps = {number: gap(better[number], worse[number]) for number in common}
    if not gaps:
        both = variance(better, folds=folds) + variance(worse, folds=folds)
        half = _NORMAL * float(np.sqrt(both))
    else:
        half = _half(gaps, folds=folds)
    half = half if np.isfinite(half) else POINTS
    return Difference(points, points - half, points + half)


def _half(runs: Runs, *, folds: bool) -> float:
    """Half of an interval of 95 % around the mean over runs."""
    found = variance(runs, folds=folds)
    if folds and len(runs) > 1:
        found = max(found, float(np.var([one.points for one in runs.values()], ddof=1)) / len(runs))
    return _NORMAL * float(np.sqrt(found))


def gap(better: Scored, worse: Scored) -> Scored:
    """A difference as if it were a score."""
    points = better.points - worse.points
    if better.resamples is not None and worse.resamples is not None:
        return Scored(points, better.rows, better.resamples - worse.resamples)
    spread = np.sqrt(better.variance + worse.variance)
    return Scored(points, better.rows, np.array([points - spread, points + spread]))


def moved(runs: Runs, reference: Runs) -> list[float]:
    """Points of each run, brought to the mean of all runs of the reference."""
    common = [number for number in runs if number in reference]
    if not common or len(common) < len(runs):
        return [one.points for one in runs.values()]
    level = float(np.mean([one.points for one in reference.values()]))
    return [one.points - reference[number].points + level for number, one in runs.items()]


def variance(runs: Runs, *, folds: bool) -> float:
    """Of the mean over runs: over held-out rows, and over seeds where several runs share the rows."""
    count = len(runs)
    if folds:
        return float(sum(one.variance for one in runs.values())) / count**2
    resamples = [one.resamples for one in runs.values() if one.resamples is not None]
    sizes = {len(one) for one in resamples}
    rows = float(np.mean([one.variance for one in runs.values()]))
    if len(resamples) == count and len(sizes) == 1:
        rows = float(np.var(np.mean(resamples, axis=0)))
    seeds = float(np.var([one.points for one in runs.values()], ddof=1)) / count if count > 1 else 0.0
    return rows + seeds
