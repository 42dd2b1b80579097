"""What scores are worth once luck is taken out of them: ways that were run seldom are drawn to what is usual.

The best of many noisy scores is flattered: on one fold of a hundred rows a way may be five points ahead of others that
are as good. Empirical Bayes (Efron & Morris 1975, Data Analysis Using Stein's Estimator) draws each score to the mean
of its like, by as much as its own noise is large beside the true differences, whose size the scores themselves tell
(DerSimonian & Laird 1986).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from embank.planning.intervals import Runs, gap, moved, variance

_NORMAL = 1.96
_FEWEST = 3
"""With fewer ways nothing is known of how ways differ."""


@dataclass(frozen=True)
class Standing:
    """Where a way stands.

    Attributes:
        points: mean over its runs, brought to those of the reference.
        deviation: of the difference to the reference, in points; NaN where it is not known.
    """

    points: float
    deviation: float

    @property
    def reach(self) -> float:
        """What it may be worth at best: the upper end of an interval of 95 %."""
        return self.points + (_NORMAL * self.deviation if np.isfinite(self.deviation) else 0.0)


def standing(runs: Runs, reference: Runs, *, folds: bool) -> Standing:
    """Where a way stands beside a reference, on the runs that both had.

    Args:
        runs: of the way.
        reference: of the frozen heads that were run most often.
        folds: whether runs have held-out rows of their own, or share them.
    """
    common = set(runs) <= set(reference)
    own = {number: gap(one, reference[number]) if common else one for number, one in runs.items()}
    return Standing(float(np.mean(moved(runs, reference))), float(np.sqrt(variance(own, folds=folds))))


def expected(standings: Mapping[str, Standing]) -> dict[str, float]:
    """Points of each way with the luck taken out, by name.

    >>> found = expected({"a": Standing(80.0, 3.0), "b": Standing(82.0, 3.0), "c": Standing(84.0, 3.0)})
    >>> {name: round(points, 2) for name, points in found.items()}
    {'a': 82.0, 'b': 82.0, 'c': 82.0}
    """
    points = {name: one.points for name, one in standings.items()}
    sure = {name: one.deviation**2 for name, one in standings.items() if np.isfinite(one.deviation)}
    if len(sure) < _FEWEST or min(sure.values()) <= 0:
        return points
    x, v = np.array([points[name] for name in sure]), np.array(list(sure.values()))
    w = 1 / v
    centre = float(w @ x / w.sum())
    between = max(0.0, float(w @ (x - centre) ** 2 - (len(x) - 1)) / float(w.sum() - (w @ w) / w.sum()))
    usual = float(np.average(x, weights=1 / (v + between)))
    drawn = (between * x + v * usual) / (between + v)
    return {**points, **dict(zip(sure, map(float, drawn), strict=True))}
