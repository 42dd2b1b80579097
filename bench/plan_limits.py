"""Plans: how near to the best way does a plan of so many labels come? A simulation of the rule of its advice.

Four trained ways stand, in truth, some points above or below frozen heads, normally distributed. A fold scores a way
on its rows: what it finds is the truth, with the noise of the rows on which two ways differ in their answers, and with
that of one training. The cheapest way within the tolerance plus one standard error of the best is taken; the standard
error is that of the rows alone, as a plan knows it. No model is trained.

    python bench/plan_limits.py [--spread 2.0] [--differ 0.17] [--training 1.0] [--trials 4000]
"""

import argparse
import math

import numpy as np
from measuring import record

FOLDS = 3
TOLERANCE = 0.5
POINTS = 100.0


def regret(random: np.random.Generator, asked: argparse.Namespace, rows: float, allowance: float, folds: int) -> float:
    """Points that the way which a plan takes is behind the best way, in truth.

    Args:
        random: draws truth and noise.
        asked: deviations.
        rows: labelled ones; a fold is a third of them.
        allowance: standard errors that are added to the tolerance.
        folds: that every way was run on.
    """
    truth = np.concatenate([[0.0], random.normal(0, asked.spread, 4)])  # frozen heads, then the dearer ones
    of_rows = POINTS * math.sqrt(asked.differ / (rows / FOLDS * folds))
    found = truth + random.normal(0, math.hypot(of_rows, asked.training / math.sqrt(folds)), 5) * (np.arange(5) > 0)
    near = found >= found.max() - TOLERANCE - allowance * of_rows * (found < found.max())
    return float(truth.max() - truth[np.flatnonzero(near)[0]])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--spread", type=float, default=2.0, help="deviation of the true scores of ways, in points")
    parser.add_argument("--differ", type=float, default=0.17, help="share of rows that one of two ways has right")
    parser.add_argument("--training", type=float, default=1.0, help="deviation of one training, in points")
    parser.add_argument("--trials", type=int, default=4000)
    asked = parser.parse_args()
    lines = [
        "| labels | folds run | allowed beyond the tolerance | within 0.5 points | behind, mean |",
        "|---:|---:|---|---:|---:|",
    ]
    for rows in (600, 2000, 5000):
        for folds in (1, 3):
            for allowance, words in ((1.0, "one standard error"), (0.0, "nothing")):
                random = np.random.default_rng(0)
                behind = np.array([regret(random, asked, rows, allowance, folds) for _ in range(asked.trials)])
                within = np.mean(behind <= TOLERANCE)
                lines.append(f"| {rows:,} | {folds} | {words} | {within:.0%} | {np.mean(behind):.2f} |")
    lines += [
        "",
        f"A simulation of {asked.trials:,} plans each: four trained ways, in truth {asked.spread:g} points (one "
        f"deviation) around frozen heads; two ways differ on {asked.differ:.0%} of rows; one training adds "
        f"{asked.training:g} points of its own.",
    ]
    record("Plan. What so many labels can tell", lines)


if __name__ == "__main__":
    main()
