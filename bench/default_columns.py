"""Which columns an encoder fills by default: cross-validation on training rows of 12 sets of texts, minilm.

Every layer is pooled by mean, maximum and first position. Sets of columns are compared by the macro-F1 that a logistic
head reaches on training rows while they are held back, the mean over the sets (clinc150 is left out: 150 classes cost
more time than they tell). Test rows are not read.

    python bench/default_columns.py
"""

import itertools
import shutil

import numpy as np
import pyarrow.parquet as pq
from measuring import WORK, data_folder, kept, record

import embank
from embank.heads.selection import SelectionSettings, select

ROWS = 3000
LAYERS, POOLINGS = range(1, 7), ("mean", "max", "first")
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
    ("2/mean", "3/mean", "4/mean", "5/mean", "6/mean"),
]


def scores(name: str) -> dict[str, float]:
    """Held-back macro-F1 of every set of columns on one set of texts."""
    table = pq.read_table(data_folder() / "classify" / name / "train.parquet").to_pydict()
    chosen = np.random.default_rng(0).permutation(len(table["text"]))[:ROWS]
    texts, labels = ([table[column][row] for row in chosen] for column in ("text", "label"))
    folder = WORK / "default-columns"
    shutil.rmtree(folder, ignore_errors=True)
    with embank.Bank.create(folder) as bank:
        bank.encode(texts, columns=[f"minilm/{column}@float16" for (column,) in SINGLES])
        vectors = {column: bank.vectors(f"minilm/{column}@float16", texts) for (column,) in SINGLES}
    shutil.rmtree(folder)
    settings = SelectionSettings(columns="all", hidden=0)
    found = {}
    for columns in (*SINGLES, *SETS):
        selection = select(
            {column: vectors[column] for column in columns}, np.array(labels), "single", settings=settings
        )
        found[" ".join(columns)] = selection.trials[0].score
        print(name, " ".join(columns), round(found[" ".join(columns)], 4), flush=True)
    return found


def main() -> None:
    names = sorted(path.name for path in (data_folder() / "classify").iterdir() if path.name != "clinc150")
    tables = [kept(f"default-columns/{name}", lambda name=name: scores(name)) for name in names]
    mean = {columns: 100 * float(np.mean([table[columns] for table in tables])) for columns in tables[0]}
    ranked = sorted(mean, key=mean.__getitem__, reverse=True)
    lines = ["| columns | bytes a text at float16 | held-back macro-F1 |", "|---|---:|---:|"]
    lines += [f"| {columns} | {768 * len(columns.split())} | {mean[columns]:.2f} |" for columns in ranked]
    record("Default columns: mean over 12 sets, training rows only", lines)


if __name__ == "__main__":
    main()
