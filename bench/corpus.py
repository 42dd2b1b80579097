"""The 13 classification sets as the studies read them: capped training rows, test rows, and every layer banked once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measuring import WORK, data_folder
from sklearn.metrics import f1_score

import embank
from embank.fit.examples import collect
from embank.fit.targets import targets_of
from embank.labels.read import read_labels
from embank.training.datasets import InputSource
from embank.training.objectives import PooledObjective
from embank.training.supervised import LabelledSplit

ROWS = 3000
"""Training rows that are used of each set, chosen at random with seed 0."""

LAYERS = range(1, 7)
POOLINGS = ("mean", "max", "first")
DEFAULT = ("2/mean", "3/max", "4/mean", "6/mean")


@dataclass(frozen=True)
class Split:
    """Texts and labels of one part of a set."""

    texts: list[str]
    labels: Any


def sets() -> list[str]:
    """Names of the sets."""
    return sorted(path.name for path in (data_folder() / "classify").iterdir() if path.is_dir())


def split(name: str) -> tuple[Split, Split]:
    """Training rows, capped, and all test rows."""
    folder = data_folder() / "classify" / name
    train, test = (pq.read_table(folder / f"{part}.parquet").to_pydict() for part in ("train", "test"))
    chosen = np.random.default_rng(0).permutation(len(train["text"]))[:ROWS]
    return (
        Split([train["text"][row] for row in chosen], np.array([train["label"][row] for row in chosen])),
        Split(list(test["text"]), np.array(test["label"])),
    )


@dataclass(frozen=True)
class TaskData:
    """Training rows of a set, as a tail or an encoder is trained on them.

    Attributes:
        texts: distinct ones.
        parts: numbers of those that are trained on, and of those that are held back.
        objective: what is asked of them.
        labels: names of the classes.
        test: test rows.
    """

    texts: list[str]
    parts: tuple[Any, Any]
    objective: PooledObjective
    labels: tuple[str, ...]
    test: Split

    def split(self, inputs: InputSource) -> LabelledSplit:
        """The rows with their inputs, as a loop takes them."""
        return LabelledSplit(inputs, self.objective, *self.parts)


def task_data(name: str, most: int, seed: int) -> TaskData:
    """At most so many training rows of a set, with the split that `embank fit` makes, and its test rows."""
    train, test = split(name)
    label_of = dict(zip(train.texts[:most], train.labels[:most].tolist(), strict=True))
    texts = list(label_of)
    examples, _ = collect(list(range(len(texts))), None, read_labels(list(label_of.values()), "single"), seed)
    held = np.array(examples.held_back)
    parts = np.flatnonzero(~held), np.flatnonzero(held)
    y, labels = targets_of("single", examples.values)
    return TaskData(texts, parts, PooledObjective(kind="single", y=y, labels=labels, train=parts[0]), labels, test)


def macro_f1(data: TaskData, logits: list[Any]) -> float:
    """Macro-F1 of logits on the test rows."""
    guess = np.array(data.labels)[np.stack(logits).argmax(axis=1)]
    return float(f1_score(data.test.labels, guess, average="macro"))


def vectors(texts: list[str], columns: tuple[str, ...]) -> dict[str, Any]:
    """Vectors of minilm's columns, such as `4/mean`, at float16; one bank in bench/bulk keeps them for all studies."""
    every = [f"minilm/{layer}/{pooling}@float16" for layer in LAYERS for pooling in POOLINGS]
    folder = WORK / "corpus-bank"
    with embank.Bank.open(folder) if folder.is_dir() else embank.Bank.create(folder) as bank:
        bank.encode(texts, columns=every)
        return {column: bank.vectors(f"minilm/{column}@float16", texts) for column in columns}
