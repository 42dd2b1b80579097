"""How much faster a task's head is fitted than by scikit-learn's cross-validated logistic regression, at equal score.

Twenty tasks of 2 to 12 classes on the same 10,000 vectors, ten penalties, five folds. Labels come from a noisy teacher
(random planes and random rectified features on the vectors), so that the vectors are real and the truth is known.
Both sides choose the penalty by held-back log-loss, on standardised float32 columns, in one run, in turn.

    python bench/fitting.py [--vectors FILE.npy] [--threads 1]

The vectors are one banked column of texts of the classification sets, unless a file of others is given.
"""

import argparse
import shutil
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measuring import WORK, claim, data_folder, record
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from embank.bank import Bank
from embank.heads.logistic import LogisticHead
from embank.heads.penalty_path import PENALTIES

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
    return LogisticHead(penalties=OFFERED, thresholds="plain").fit(X, y).predict(other)


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


def banked(rows: int) -> Path:
    """Vectors of texts of several sets, out of a bank."""
    path = WORK / f"fitting-{rows}.npy"
    if not path.is_file():
        texts: list[str] = []
        for name in ("trec", "clinc150", "sst2", "mr", "subj"):
            texts += pq.read_table(data_folder() / "classify" / name / "train.parquet")["text"].to_pylist()[: rows // 4]
        chosen = list(dict.fromkeys(texts))[:rows]
        shutil.rmtree(WORK / "fitting-bank", ignore_errors=True)
        with Bank.create(WORK / "fitting-bank") as bank:
            np.save(path, bank.vectors("minilm/3/mean@float16", chosen))
    return path


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
    parser.add_argument("--vectors", type=Path, help="a .npy file [rows, width]")
    parser.add_argument("--rows", type=int, default=10_000, help="training rows; a third as many more are scored on")
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    needed = round(asked.rows / (1 - HELD_OUT))
    X = np.load(asked.vectors or banked(needed))[:needed].astype(np.float32)
    assert len(X) >= asked.rows, f"found {len(X)} rows, expected {needed}"
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
    ratio = f"{slow.sum() / fast.sum():.1f} times faster (target 5)"
    scores = f"embank {100 * score.mean():.2f}, scikit-learn {100 * reference.mean():.2f} (target within 0.2)"
    lines = [
        f"- embank {fast.sum():.1f} s, scikit-learn `LogisticRegressionCV` {slow.sum():.1f} s, over the same ten "
        f"penalties and five folds, BLAS threads: {asked.threads}: {ratio}",
        f"- mean macro-F1: {scores}",
    ]
    record(f"5. Fitting {asked.tasks} tasks on {asked.rows:,} banked texts", lines)
    if (asked.tasks, asked.rows) == (20, 10_000):
        claim("fit.speed", f"{slow.sum() / fast.sum():.1f} times")
        claim("fit.accuracy", f"{100 * (score.mean() - reference.mean()):+.2f} points")


if __name__ == "__main__":
    main()
