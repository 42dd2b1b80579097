"""The 13 classification sets as the studies read them: capped training rows, test rows, and every layer banked once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measuring import WORK, data_folder

import embank

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


def vectors(texts: list[str], columns: tuple[str, ...]) -> dict[str, Any]:
    """Vectors of minilm's columns, such as `4/mean`, at float16; one bank in bench/work keeps them for all studies."""
    every = [f"minilm/{layer}/{pooling}@float16" for layer in LAYERS for pooling in POOLINGS]
    folder = WORK / "corpus-bank"
    with embank.Bank.open(folder) if folder.is_dir() else embank.Bank.create(folder) as bank:
        bank.encode(texts, columns=every)
        return {column: bank.vectors(f"minilm/{column}@float16", texts) for column in columns}
