"""Claim 1: macro-F1 with default settings on 13 sets, against sentence-transformers + logistic regression.

Training rows are capped at 3,000 (a random sample, seed 0); every test row counts. Columns, penalty and decisions are
chosen on training rows alone, by `embank fit`'s own validation. The competitor's penalty is chosen on a fifth of its
training rows, then it is fitted on all of them.

    python bench/accuracy.py [SET ...]
"""

import shutil
import sys

import numpy as np
from corpus import sets, split
from measuring import WORK, claim, kept, record
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

import embank
from embank.encoders.load import locate

STRENGTHS = [10.0**power for power in np.arange(-2, 3.01, 0.5)]
CODECS = ("float16", "int8", "binary")


def competitor(name: str) -> dict[str, float]:
    """sentence-transformers `encode`, and logistic regression with a validated penalty."""
    train, test = split(name)
    model = SentenceTransformer(str(locate("minilm").folder.path), device="cpu")
    X, X_test = (model.encode(part.texts, batch_size=64, show_progress_bar=False) for part in (train, test))
    y = train.labels
    counts = dict(zip(*np.unique(y, return_counts=True), strict=True))
    parts = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y if min(counts.values()) > 1 else None)
    scores = {}
    for strength in STRENGTHS:
        fitted = LogisticRegression(C=strength, max_iter=2000).fit(parts[0], parts[2])
        scores[strength] = f1_score(parts[3], fitted.predict(parts[1]), average="macro")
    best = max(scores, key=scores.__getitem__)
    final = LogisticRegression(C=best, max_iter=2000).fit(X, y)
    return {"f1": f1_score(test.labels, final.predict(X_test), average="macro"), "C": best}


def ours(name: str, codec: str) -> dict[str, object]:
    """Embank with default settings."""
    train, test = split(name)
    folder = WORK / "accuracy" / f"{name}-{codec}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with embank.Bank.create(folder) as bank:
        bank.encode(train.texts, codec=codec)
        report = bank.fit("label", train.labels.tolist(), texts=train.texts)
        predicted = bank.predict(test.texts)["label"].to_pylist()
    shutil.rmtree(folder)
    return {
        "f1": f1_score(test.labels, predicted, average="macro"),
        "columns": list(report.columns),
        "seconds": report.seconds,
        "chosen": dict(report.chosen),
    }


def main() -> None:
    names = sys.argv[1:] or sets()
    table = {}
    for name in names:
        found = {"sentence-transformers": kept(f"accuracy/{name}-competitor", lambda name=name: competitor(name))}
        for codec in CODECS:
            found[codec] = kept(f"accuracy/{name}-{codec}", lambda name=name, codec=codec: ours(name, codec))
        table[name] = {way: 100 * part["f1"] for way, part in found.items()}
        print(
            name, {way: round(score, 2) for way, score in table[name].items()}, found["float16"]["columns"], flush=True
        )
    ways = ["sentence-transformers", *CODECS]
    mean = {way: float(np.mean([scores[way] for scores in table.values()])) for way in ways}
    lines = ["| set | " + " | ".join(ways) + " |", "|---|" + "---:|" * len(ways)]
    lines += [
        "| " + name + " | " + " | ".join(f"{scores[way]:.1f}" for way in ways) + " |" for name, scores in table.items()
    ]
    lines += ["| **mean** | " + " | ".join(f"**{mean[way]:.2f}**" for way in ways) + " |", ""]
    lines.append(
        f"float16 over sentence-transformers: {mean['float16'] - mean['sentence-transformers']:+.2f} (target +5); "
        f"int8 to float16: {mean['int8'] - mean['float16']:+.2f} (target within 0.2); "
        f"binary to float16: {mean['binary'] - mean['float16']:+.2f} (target within 1.0)"
    )
    record("1. Accuracy: 13 sets, test macro-F1", lines)
    if names == sets():
        claim("accuracy.float16", f"{mean['float16'] - mean['sentence-transformers']:+.2f} points")
        claim("accuracy.int8", f"{mean['int8'] - mean['float16']:+.2f} points")
        claim("accuracy.binary", f"{mean['binary'] - mean['float16']:+.2f} points")


if __name__ == "__main__":
    main()
