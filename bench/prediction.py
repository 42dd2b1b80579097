"""Claim 4: 20 linear tasks over 1,000,000 banked texts in one pass, against scikit-learn one head after another.

The bank is filled with vectors straight. Heads are fitted by `bank.fit` on 2,000 of its texts. The competitor has the
same 20 heads as scikit-learn `LogisticRegression` objects (coefficients copied over, so it computes the same
probabilities) and the vectors in memory as float32, read from the bank once for each head as a user would without one.

    python bench/prediction.py [--texts 1000000] [--codec float16]
"""

import argparse
import shutil

import numpy as np
from measuring import WORK, claim, record, timed
from sklearn.linear_model import LogisticRegression

import embank
from embank.predict.load import load_tasks
from embank.store.folder import Store

WIDTH, TASKS, FITTED = 384, 20, 2000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--codec", default="float16")
    asked = parser.parse_args()
    column = f"given/0/own@{asked.codec}"
    folder = WORK / f"prediction-{asked.codec}-{asked.texts}"
    if not (folder / "embank.json").exists():
        fill(folder, column, asked.texts)
    with embank.Bank.open(folder) as bank:
        with timed() as ours, embank.tables.open_writer(WORK / "prediction.parquet") as writer:
            for block in bank.answer(None):
                writer.write(block)
        with timed() as unwritten:
            rows = sum(len(block["id"]) for block in bank.answer(None))
        assert rows == asked.texts
        with timed() as theirs:
            one_by_one(folder, bank, column)
    outputs = sum(max(2, len(task.labels)) for task in embank.Bank.open(folder).tasks())
    speed = f"embank {asked.texts / ours.seconds:,.0f} texts/s with writing Parquet"
    ratios = [theirs.seconds / clock.seconds for clock in (ours, unwritten)]
    lines = [
        f"- {asked.codec}, {WIDTH} wide, {outputs} classes in all: {speed}, "  # the target counts the writing
        f"{asked.texts / unwritten.seconds:,.0f} without (target 200,000)",
        f"- the same heads one after another by scikit-learn `predict_proba`: {theirs.seconds:.1f} s, embank "
        f"{ours.seconds:.1f} s with writing, {unwritten.seconds:.1f} s without: "
        f"{ratios[0]:.1f} and {ratios[1]:.1f} times faster (target 10)",
    ]
    record(f"4. Prediction: {TASKS} tasks over {asked.texts:,} texts, {asked.codec}", lines)
    if asked.texts == 1_000_000 and asked.codec == "float16":
        claim("predict.speed", f"{asked.texts / ours.seconds:,.0f} texts/s")
        claim("predict.sklearn", f"{ratios[0]:.1f} times")


def fill(folder: object, column: str, texts: int) -> None:
    """A bank of random vectors, and 20 tasks that a random direction decides, with noise."""
    shutil.rmtree(folder, ignore_errors=True)
    random = np.random.default_rng(0)
    with embank.Bank.create(folder) as bank:
        for start in range(0, texts, 100_000):
            stop = min(start + 100_000, texts)
            vectors = random.standard_normal((stop - start, WIDTH)).astype(np.float32)
            bank.put([f"text {number}" for number in range(start, stop)], vectors, column, ids=list(range(start, stop)))
            if start == 0:
                first = vectors[:FITTED]
        for task in range(TASKS):
            classes = 2 + task % 7
            logits = first @ random.standard_normal((WIDTH, classes)) + 4 * random.standard_normal((FITTED, classes))
            labels = [f"class {number}" for number in logits.argmax(1)]
            settings = embank.FitSettings(columns=(column,))
            bank.fit(f"task{task}", labels, ids=list(range(FITTED)), settings=settings)


def one_by_one(folder: object, bank: embank.Bank, column: str) -> None:
    """What a user without fused heads does: each head reads the vectors and predicts."""
    for task in load_tasks(Store(folder)):
        layer = task.head.layers[0]
        head = LogisticRegression()
        head.classes_ = np.array(task.head.labels)
        weights, bias = layer.weights.T / task.head.temperature, layer.bias / task.head.temperature
        two = len(task.head.labels) == 2
        head.coef_ = weights[1:] - weights[:1] if two else weights
        head.intercept_ = bias[1:] - bias[:1] if two else bias
        head.n_features_in_ = WIDTH
        probabilities = head.predict_proba(bank.vectors(column))
        head.classes_[probabilities.argmax(1)]


if __name__ == "__main__":
    main()
