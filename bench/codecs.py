"""What each codec costs in accuracy: heads fitted and tested on decoded rows of 13 sets; what plain ways would cost.

The four default columns of minilm are read together by a logistic head. Every codec is calibrated on the training rows
of the set, as in a bank of one corpus; `pool` calibrates on 300 training rows of each of the 13 sets instead, a corpus
of everything. Signs, and signs after a learned rotation (ITQ, Gong and Lazebnik 2011), stand beside `binary`, each
with a least-squares decoder, since a head reads decoded numbers. int8 is calibrated at several percentiles.

    python bench/codecs.py
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from corpus import DEFAULT, sets, split, vectors
from measuring import kept, record
from sklearn.metrics import f1_score

from embank.codecs import calibrate
from embank.heads.logistic import LogisticHead
from embank.linalg.rotations import random_rotation

Coding = Callable[[Any], Any]
"""Vectors to what is decoded of their stored rows."""

POOLED = 300


def ours(name: str) -> Callable[[Any], Coding]:
    """A codec of Embank."""

    def learn(sample: Any) -> Coding:
        codec = calibrate(name, sample)
        return lambda vectors: codec.decode(codec.encode(vectors))

    return learn


def clipped(percentile: float) -> Callable[[Any], Coding]:
    """254 steps between two percentiles of each dimension."""

    def learn(sample: Any) -> Coding:
        low, high = np.percentile(sample, [100 - percentile, percentile], axis=0)
        step, middle = np.maximum(high - low, 1e-9) / 254, (high + low) / 2
        return lambda vectors: np.clip(np.rint((vectors - middle) / step), -127, 127) * step + middle

    return learn


def signs(rotation: Callable[[Any], Any]) -> Callable[[Any], Coding]:
    """The sign of each standardised, rotated dimension, decoded by least squares over the sample."""

    def learn(sample: Any) -> Coding:
        centre, scale = sample.mean(axis=0), np.maximum(sample.std(axis=0), 1e-6)
        standard = (sample - centre) / scale
        turn = rotation(standard)
        bits = np.where(standard @ turn > 0, 1.0, -1.0)
        decoder = np.linalg.solve(bits.T @ bits + 10 * np.eye(len(turn)), bits.T @ standard)
        return lambda vectors: np.where((vectors - centre) / scale @ turn > 0, 1.0, -1.0) @ decoder * scale + centre

    return learn


def learned_rotation(standard: Any, rounds: int = 50) -> Any:
    """ITQ: the rotation of the principal axes that brings the sample nearest to its own signs."""
    _, axes = np.linalg.eigh(standard.T @ standard)
    turned, turn = standard @ axes, random_rotation(standard.shape[1], 0)
    for _ in range(rounds):
        left, _, right = np.linalg.svd(np.where(turned @ turn > 0, 1.0, -1.0).T @ turned)
        turn = (left @ right).T
    return axes @ turn


WAYS: dict[str, Callable[[Any], Coding]] = {
    "float16": ours("float16"),
    "int8": ours("int8"),
    "int8, percentile 100": clipped(100),
    "int8, percentile 99.9": clipped(99.9),
    "int8, percentile 99.5": clipped(99.5),
    "sign": signs(lambda standard: np.eye(standard.shape[1])),
    "sign after a random rotation": signs(lambda standard: random_rotation(standard.shape[1], 0)),
    "sign after ITQ": signs(learned_rotation),
    "binary": ours("binary"),
    "binary, pool": ours("binary"),
    "int8, pool": ours("int8"),
}


def pool() -> dict[str, Any]:
    """Vectors of some training rows of every set."""
    texts = [text for name in sets() for text in split(name)[0].texts[:POOLED]]
    return vectors(texts, DEFAULT)


def scores(name: str) -> dict[str, float]:
    """Test macro-F1 of each way on one set."""
    train, test = split(name)
    X, X_test, everything = vectors(train.texts, DEFAULT), vectors(test.texts, DEFAULT), pool()
    found = {}
    for way, learn in WAYS.items():
        sample = everything if way.endswith("pool") else X
        codings = {column: learn(sample[column].astype(np.float64 if learn not in OWN else np.float32)) for column in X}
        decoded = [
            np.concatenate([codings[column](part[column]) for column in part], axis=1).astype(np.float32)
            for part in (X, X_test)
        ]
        head = LogisticHead().fit(decoded[0], train.labels)
        found[way] = f1_score(test.labels, head.predict(decoded[1]), average="macro")
        print(name, way, round(found[way], 4), flush=True)
    return found


OWN = {learn for way, learn in WAYS.items() if way.split(",")[0] in ("float16", "int8", "binary")}


def main() -> None:
    tables = [kept(f"codecs/{name}", lambda name=name: scores(name)) for name in sets()]
    lines = ["| codec | test macro-F1, mean of 13 sets | to float16 |", "|---|---:|---:|"]
    plain = np.mean([table["float16"] for table in tables])
    for way in WAYS:
        mean = np.mean([table[way] for table in tables])
        lines.append(f"| {way} | {100 * mean:.2f} | {100 * (mean - plain):+.2f} |")
    record("Codecs", lines)


if __name__ == "__main__":
    main()
