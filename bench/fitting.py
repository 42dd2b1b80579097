"""How much faster a task's head is fitted than by scikit-learn's cross-validated logistic regression, at equal score.

Twenty tasks of 2 to 12 classes on the same 10,000 vectors, ten penalties, five folds. Labels come from a noisy teacher
(random planes and random rectified features on the vectors), so that the vectors are real and the truth is known.
Both sides choose the penalty by held-back log-loss, on standardised float32 columns, in one run, in turn.

    python bench/fitting.py vectors.npy        # [at least 12,000 rows, width], for instance `Bank.vectors(...)` saved
"""

import argparse
import platform
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from embank.heads.linear import LogisticHead
from embank.heads.path import PENALTIES

OFFERED = PENALTIES[2:12]
HELD_OUT = 0.25


def teach(X: Any, classes: int, seed: int) -> Any:
    """Labels from a noisy teacher: the largest of a few random functions of the vectors, with Gumbel noise."""
    rng = np.random.default_rng(seed)
    rows = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-6)
    width = rows.shape[1]
    bent = np.maximum(rows @ rng.normal(size=(width, 64)) / np.sqrt(width), 0)
    logits = rows @ rng.normal(size=(width, classes)) / np.sqrt(width) + 0.3 * bent @ rng.normal(size=(64, classes)) / 8
    logits += rng.normal(size=classes) * 0.5
    logits *= rng.uniform(1.5, 4.0) / logits.std()
    return (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)


def embank(X: Any, y: Any, other: Any) -> Any:
    """Fit with Embank and predict; decisions are plain, because the competitor's are."""
    return LogisticHead(penalties=OFFERED, decisions="probable").fit(X, y).predict(other)


def scikit_learn(X: Any, y: Any, other: Any) -> Any:
    """Fit with scikit-learn and predict."""
    scaler = StandardScaler().fit(X)
    model = LogisticRegressionCV(
        Cs=[1.0 / (penalty * len(X)) for penalty in sorted(OFFERED, reverse=True)],
        cv=5,
        scoring="neg_log_loss",
        l1_ratios=(0.0,),
        use_legacy_attributes=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # its default of 100 steps favours it in time
        model.fit(scaler.transform(X), y)
    return model.predict(scaler.transform(other))


def race(X: Any, tasks: int) -> Iterator[tuple[int, tuple[float, float], tuple[float, float]]]:
    """For each task its classes, and seconds and macro-F1 of either side."""
    cut = int(len(X) * (1 - HELD_OUT))
    for task in range(tasks):
        classes = 2 + task % 11
        y = teach(X, classes, task)
        results = []
        for fit in (embank, scikit_learn):
            began = time.perf_counter()
            predicted = fit(X[:cut], y[:cut], X[cut:])
            seconds = time.perf_counter() - began
            results.append((seconds, float(f1_score(y[cut:], predicted, average="macro"))))
        yield classes, results[0], results[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vectors", help="a .npy file [rows, width]")
    parser.add_argument("--rows", type=int, default=10_000, help="training rows; a third as many more are scored on")
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    needed = round(asked.rows / (1 - HELD_OUT))
    X = np.load(asked.vectors)[:needed].astype(np.float32)
    assert len(X) >= asked.rows, f"found {len(X)} rows, expected {needed}"
    print(f"{platform.processor() or platform.machine()}, {asked.threads} threads, {X.shape[1]} columns")
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    with threadpool_limits(limits=asked.threads):
        for classes, mine, other in race(X, asked.tasks):
            ours.append(mine)
            theirs.append(other)
            print(
                f"{classes:3d} classes: embank {mine[0]:6.2f} s, macro-F1 {100 * mine[1]:.2f};"
                f" scikit-learn {other[0]:6.2f} s, {100 * other[1]:.2f}",
                flush=True,
            )
    (fast, score), (slow, reference) = np.array(ours).T, np.array(theirs).T
    print(f"sum: embank {fast.sum():.1f} s, scikit-learn {slow.sum():.1f} s, ratio {slow.sum() / fast.sum():.1f}")
    print(f"mean macro-F1: embank {100 * score.mean():.2f}, scikit-learn {100 * reference.mean():.2f}")


if __name__ == "__main__":
    main()
