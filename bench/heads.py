"""What the heads' habits are worth: the same vectors, one habit changed at a time, test macro-F1 over 13 sets.

The four default columns of minilm, penalty and decisions from training rows alone. `scikit-learn` is a StandardScaler
and LogisticRegressionCV over its own ten penalties; `perceptron` is `MLPHead` wherever, not where it wins.

    python bench/heads.py
"""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from corpus import DEFAULT, sets, split, vectors
from measuring import kept, record
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from embank.fit.column_screening import gather, prune
from embank.heads.logistic import LogisticHead
from embank.heads.mlp import MLPHead

MANY = 50


def lengths_one(rows: Any) -> Any:
    """Each column's vectors scaled to length one."""
    return np.concatenate([part / np.linalg.norm(part, axis=1, keepdims=True) for part in np.split(rows, 4, 1)], axis=1)


def theirs() -> Any:
    """What a user of scikit-learn would write."""
    return make_pipeline(
        StandardScaler(), LogisticRegressionCV(Cs=10, cv=5, l1_ratios=(0.0,), use_legacy_attributes=False)
    )


def same(rows: Any) -> Any:
    """Rows as they are."""
    return rows


WAYS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "as it is": (LogisticHead, same),
    "decisions: the most probable class": (lambda: LogisticHead(thresholds="plain"), same),
    "class_weight: balanced": (lambda: LogisticHead(class_weight="balanced"), same),
    "balanced, the most probable class": (lambda: LogisticHead(class_weight="balanced", thresholds="plain"), same),
    "vectors of length one": (LogisticHead, lengths_one),
    "perceptron": (MLPHead, same),
    "scikit-learn": (theirs, same),
}


def scores(name: str) -> dict[str, list[float]]:
    """Test macro-F1 and seconds of each way on one set."""
    train, test = split(name)
    X, X_test = vectors(train.texts, DEFAULT), vectors(test.texts, DEFAULT)
    found = {}
    for way, (make, turn) in WAYS.items():
        if way == "scikit-learn" and len(set(train.labels)) > MANY:
            continue  # an hour for 150 classes
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn's solver stops at its default of 100 steps
            head = make().fit(turn(gather(X, DEFAULT)), train.labels)
        seconds = time.perf_counter() - start
        guess = head.predict(turn(gather(X_test, DEFAULT)))
        found[way] = [f1_score(test.labels, guess, average="macro"), seconds]
        print(name, way, [round(number, 4) for number in found[way]], flush=True)
    classes = sorted(set(train.labels))
    fewer = prune(X, (train.labels[:, None] == np.array(classes)).astype(np.float64))
    head = LogisticHead().fit(gather(X, fewer), train.labels)
    found["columns pruned"] = [f1_score(test.labels, head.predict(gather(X_test, fewer)), average="macro"), len(fewer)]
    return found


def main() -> None:
    tables = {name: kept(f"heads/{name}", lambda name=name: scores(name)) for name in sets()}
    lines = ["| heads | sets | test macro-F1 | `as it is` on these | seconds in all |", "|---|---:|---:|---:|---:|"]
    for way in (*WAYS, "columns pruned"):
        there = [table for table in tables.values() if way in table]
        mean, plain = (100 * np.mean([table[which][0] for table in there]) for which in (way, "as it is"))
        seconds = f"{sum(table[way][1] for table in there):.0f}" if way in WAYS else ""
        lines.append(f"| {way} | {len(there)} | {mean:.2f} | {plain:.2f} | {seconds} |")
    record("Heads", lines)


if __name__ == "__main__":
    main()
