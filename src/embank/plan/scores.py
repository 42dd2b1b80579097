"""Scores on held-out rows, and differences between ways on the same rows, with their uncertainty.

The folds of a way are scored together: each row once, by a training that has not seen it. Intervals and standard errors
are bootstraps over rows (Efron & Tibshirani 1993, chapters 6 and 13), with the same resampled rows for all ways. Rows
are drawn class by class, as folds are dealt: a rare class that a draw lacks would fall out of macro-F1, and lift it.
They say what other rows would have changed, not what another training of the same rows would.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.stats import bootstrap

from embank.labels.kinds import Kind
from embank.plan import Score
from embank.plan.rows import Fold, TaskRows

POINTS = 100.0
"""Points of a measure of 1."""

RESAMPLES = 200
_BATCH = 20
"""Resamples at a time: each holds a matrix of rows and classes."""

Statistic = Callable[..., Any]
"""Row numbers `[..., rows]` to points `[...]`."""


def statistic(truth: np.ndarray, guess: np.ndarray, kind: Kind) -> Statistic:
    """The task's measure in points, as a function of which rows are drawn.

    It equals `heads.scoring.measures` (a test compares them), and takes many draws at once.

    Args:
        truth: labels `[rows]`, a 0/1 matrix `[rows, labels]`, or numbers `[rows]`.
        guess: predictions of the same shape.
        kind: of the task.
    """
    if kind == "regression":
        return lambda rows: POINTS * _r2(truth[rows], guess[rows])
    true, guessed = truth.astype(bool), guess.astype(bool)
    if kind == "single":
        names = np.unique(np.concatenate([truth.astype(str), guess.astype(str)]))
        true, guessed = (labels.astype(str)[:, None] == names for labels in (truth, guess))
    both = true & guessed

    def macro_f1(rows: np.ndarray) -> Any:
        hits = both[rows].sum(axis=-2)
        size = true[rows].sum(axis=-2) + guessed[rows].sum(axis=-2)
        share = np.divide(2.0 * hits, size, out=np.zeros(size.shape), where=size > 0)
        # As in scikit-learn: a class that neither side names does not count, a label of several counts as 0.
        return (
            POINTS * share.sum(axis=-1) / (np.maximum((size > 0).sum(axis=-1), 1) if kind == "single" else len(both[0]))
        )

    return macro_f1


@dataclass(frozen=True, eq=False)
class Scores:
    """Predictions of all ways of a task on held-out rows.

    Attributes:
        rows: of the task.
        folds: by number.
        guesses: predictions on the held-out rows of each fold, by way and number of the fold.
    """

    rows: TaskRows
    folds: Sequence[Fold]
    guesses: Mapping[str, Mapping[int, np.ndarray]]

    @property
    def reference(self) -> str:
        """The way with the most folds, the first of equal ones: frozen heads."""
        return max(self.guesses, key=lambda way: len(self.guesses[way]))

    def score(self, way: str) -> Score:
        """The score of a way, brought to all folds of the reference by its difference on common ones."""
        own = sorted(self.guesses[way])
        measure, rows = self._measure(way, own), np.arange(len(self._truth(own)))
        points, shift = float(measure(rows)), 0.0
        everywhere = sorted(self.guesses[self.reference])
        if set(own) < set(everywhere):
            level = self._measure(self.reference, everywhere)(np.arange(len(self._truth(everywhere))))
            shift = float(level - self._measure(self.reference, own)(rows))
        ends = np.array(self._resampled(measure, own).confidence_interval) + shift
        low, high = np.clip(ends, 0.0 if self.rows.kind != "regression" else -np.inf, POINTS).tolist()
        return Score(points=min(points + shift, POINTS), low=low, high=high, runs=len(own), rows=len(rows))

    def difference(self, better: str, worse: str) -> tuple[float, float]:
        """Points that one way is ahead of another on the rows that both were scored on, and their standard error."""
        if better == worse:
            return 0.0, 0.0
        common = sorted(set(self.guesses[better]) & set(self.guesses[worse]))  # every way has the first fold
        ahead, behind = self._measure(better, common), self._measure(worse, common)

        def gap(rows: np.ndarray) -> Any:
            return ahead(rows) - behind(rows)

        points = float(gap(np.arange(len(self._truth(common)))))
        return points, float(self._resampled(gap, common).standard_error)

    def _truth(self, numbers: Sequence[int]) -> np.ndarray:
        return np.asarray(self.rows.y[np.concatenate([self.folds[number].test for number in numbers])])

    def _measure(self, way: str, numbers: Sequence[int]) -> Statistic:
        guess = np.concatenate([self.guesses[way][number] for number in numbers])
        return statistic(self._truth(numbers), guess, self.rows.kind)

    def _resampled(self, measure: Statistic, numbers: Sequence[int]) -> Any:
        """A bootstrap of a measure over the held-out rows of some folds."""
        return bootstrap(
            strata(self._truth(numbers), self.rows.kind),
            lambda *drawn, axis: measure(np.concatenate(drawn, axis=axis)),
            n_resamples=RESAMPLES,
            batch=_BATCH,
            vectorized=True,
            method="percentile",
            random_state=np.random.default_rng(0),
        )


def strata(truth: np.ndarray, kind: Kind) -> list[np.ndarray]:
    """Rows by class, those of classes with a single row together; all of them together for other kinds."""
    if kind != "single":
        return [np.arange(len(truth))]
    _, places, counts = np.unique(truth, return_inverse=True, return_counts=True)
    alone = np.flatnonzero(counts[places] == 1)
    several = [np.flatnonzero(places == at) for at in np.flatnonzero(counts > 1)]
    if len(alone) == 1 and several:
        several[0] = np.concatenate([several[0], alone])
    return [*several, alone] if len(alone) > 1 else several


def _r2(truth: Float64[np.ndarray, "..."], guess: Float64[np.ndarray, "..."]) -> Any:
    """R2 over the last axis; 0 if all of the truth is equal."""
    spread = ((truth - truth.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    missed = ((truth - guess) ** 2).sum(axis=-1)
    return np.where(spread > 0, 1 - missed / np.maximum(spread, 1e-300), 0.0)
