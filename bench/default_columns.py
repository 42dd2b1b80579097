"""Which columns an encoder fills by default: cross-validation on training rows of 13 sets of texts, minilm.

Every layer is pooled by mean, maximum and first position. Sets of columns are compared by the macro-F1 that a logistic
head reaches on training rows while they are held back, the mean over the sets. Test rows are not read.

    python bench/default_columns.py
"""

import itertools

import numpy as np
from corpus import LAYERS, POOLINGS, sets, split, vectors
from measuring import kept, record

from embank.fit.column_selection import SelectionSettings, select

SINGLES = [(f"{layer}/{pooling}",) for layer, pooling in itertools.product(LAYERS, POOLINGS)]
SETS = [
    ("3/mean", "4/mean"),
    ("4/mean", "6/mean"),
    ("2/mean", "4/mean", "6/mean"),
    ("3/mean", "4/mean", "5/mean"),
    ("3/mean", "4/mean", "3/max"),
    ("1/mean", "3/mean", "4/mean", "6/mean"),
    ("2/mean", "3/mean", "3/max", "4/mean"),
    ("2/mean", "3/mean", "3/max", "5/mean"),
    ("2/mean", "4/mean", "6/mean", "4/max"),
    ("2/mean", "4/mean", "6/mean", "3/max"),
    ("2/mean", "4/mean", "6/mean", "6/max"),
    ("2/mean", "4/mean", "6/mean", "4/first"),
    ("3/mean", "4/mean", "5/mean", "3/max"),
    ("2/mean", "3/mean", "4/mean", "3/max"),
    ("2/mean", "4/mean", "6/mean", "3/max", "5/mean"),
    ("2/mean", "4/mean", "6/mean", "3/max", "4/max"),
    ("2/mean", "3/mean", "4/mean", "5/mean", "6/mean"),
    ("2/mean", "3/mean", "4/mean", "5/mean", "6/mean", "3/max"),
]


def scores(name: str) -> dict[str, float]:
    """Held-back macro-F1 of every set of columns on one set of texts."""
    train, _ = split(name)
    banked = vectors(train.texts, tuple(column for (column,) in SINGLES))
    settings = SelectionSettings(columns="all", hidden=0)
    found = {}
    for columns in (*SINGLES, *SETS):
        chosen = {column: banked[column] for column in columns}
        found[" ".join(columns)] = select(chosen, train.labels, "single", settings=settings).trials[0].score
    print(name, {columns: round(score, 4) for columns, score in found.items()}, flush=True)
    return found


def main() -> None:
    tables = [kept(f"default-columns/{name}", lambda name=name: scores(name)) for name in sets()]
    mean = {columns: 100 * float(np.mean([table[columns] for table in tables])) for columns in tables[0]}
    ranked = sorted(mean, key=mean.__getitem__, reverse=True)
    lines = ["| columns | bytes a text at float16 | held-back macro-F1 |", "|---|---:|---:|"]
    lines += [f"| {columns} | {768 * len(columns.split())} | {mean[columns]:.2f} |" for columns in ranked]
    record("Default columns: mean over 13 sets, training rows only", lines)


if __name__ == "__main__":
    main()
