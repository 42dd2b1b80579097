"""Plans: how often can a plan of so many labels find a way within half a point of the best? A simulation.

Eight trained ways stand, in truth, some points above or below frozen heads, normally distributed. A run scores a way
on its fold: what it finds is the truth, with the noise of the rows on which two ways differ in their answers, and with
that of one training. Time goes as in a plan: one run of each way, then to the one with the highest upper end; scores
are drawn to the mean of their like, and the cheapest way within the tolerance is taken. No model is trained.

    python bench/plan_limits.py [--spread 2.0] [--differ 0.17] [--training 1.0] [--trials 4000]
"""

import argparse
import math
from collections.abc import Sequence

import numpy as np
from measuring import record

from embank.planning.shrinking import Standing, expected

TOLERANCE = 0.5
SECONDS = (9, 10, 14, 38, 49, 29, 92, 67)
"""Of one run of a trained way: limited states, tails, adapters, a student, full fine-tuning ("Plan. Is the advice
right?", trec)."""

POINTS = 100.0
SIDE = 1.96


def regret(random: np.random.Generator, asked: argparse.Namespace, rows: int, folds: int, seconds: float) -> float:
    """Points that the way which a plan takes is behind the best way, in truth."""
    truth = np.concatenate([[0.0], random.normal(0, asked.spread, len(SECONDS))])
    noise = math.hypot(POINTS * (asked.differ / (rows / folds)) ** 0.5, asked.training)
    found = truth[1:, None] + random.normal(0, noise, (len(SECONDS), folds))
    runs = np.zeros(len(SECONDS), np.int64)
    left = seconds

    def mean(way: int) -> float:
        return float(found[way, : runs[way]].mean())

    def reach(way: int) -> float:
        return mean(way) + SIDE * noise / float(runs[way]) ** 0.5

    for way, cost in enumerate(SECONDS):
        if cost <= left:
            runs[way], left = 1, left - cost
    while more := [way for way, cost in enumerate(SECONDS) if 0 < runs[way] < folds and cost <= left]:
        way = max(more, key=reach)
        if reach(way) < max(0.0, *(mean(other) for other in np.flatnonzero(runs))):
            break
        runs[way], left = runs[way] + 1, left - SECONDS[way]
    standings = {str(way): Standing(mean(way), noise / float(runs[way]) ** 0.5) for way in np.flatnonzero(runs)}
    return float(truth.max() - truth[cheapest(expected(standings))])


def cheapest(points: dict[str, float]) -> int:
    """The number of the cheapest way within the tolerance of the best; 0: frozen heads, which are at 0."""
    best = max(0.0, *points.values())
    order: Sequence[int] = np.argsort(SECONDS, kind="stable").tolist()
    able = [way for way in order if str(way) in points and points[str(way)] >= best - TOLERANCE]
    return 0 if best <= TOLERANCE else able[0] + 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--spread", type=float, default=2.0, help="deviation of the true scores of ways, in points")
    parser.add_argument("--differ", type=float, default=0.17, help="share of rows that one of two ways has right")
    parser.add_argument("--training", type=float, default=1.0, help="deviation of one training, in points")
    parser.add_argument("--trials", type=int, default=4000)
    asked = parser.parse_args()
    lines = [
        "| labels | seconds of training | folds | within 0.5 points | behind, mean |",
        "|---:|---:|---:|---:|---:|",
    ]
    for rows, seconds in ((600, 300.0), (600, 500.0), (600, math.inf), (2000, math.inf), (5000, math.inf)):
        for folds in (3, 5) if rows == 600 else (3,):
            random = np.random.default_rng(0)
            behind = [regret(random, asked, rows, folds, seconds) for _ in range(asked.trials)]
            time = "all it takes" if math.isinf(seconds) else f"{seconds:.0f}"
            within = np.mean(np.array(behind) <= TOLERANCE)
            lines.append(f"| {rows:,} | {time} | {folds} | {within:.0%} | {np.mean(behind):.2f} |")
    lines += [
        "",
        f"A simulation of {asked.trials:,} plans each: eight trained ways, in truth {asked.spread:g} points (one "
        f"deviation) around frozen heads; two ways differ on {asked.differ:.0%} of rows; one training adds "
        f"{asked.training:g} points of its own.",
    ]
    record("Plan. What so many labels can tell", lines)


if __name__ == "__main__":
    main()
