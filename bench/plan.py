"""Plans: is what `embank plan` advises right, and do its seconds come true?

For each set a plan is made of capped training rows, for one task and as many texts as there are test rows, with an
empty bank. Right after it the advised way is run for real, from an empty bank to predictions of all test rows, and
timed. Then every way is run on all capped training rows and scored on test rows. Finished parts are kept.

    python bench/plan.py [--rows 1000] [--minutes 10] [--seeds 1] [--sets scicite,trec,sst2,cola,snips,tweet_emotion]
"""

import argparse
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measuring import WORK, data_folder, kept, record, timed

import embank
from embank.distill.task_settings import StudentSettings
from embank.distill.task_student import distil
from embank.encoders.load import locate, open_encoder
from embank.fit.finetune import FineTuneData, finetune
from embank.labels.read import read_labels
from embank.metrics.classification import measures
from embank.planning.documents import document

SETS = "scicite,trec,sst2,cola,snips,tweet_emotion"
TOLERANCE = 0.5
NEAR = 0.3
CACHE = Path.home() / ".cache" / "embank"


@dataclass(frozen=True)
class Rows:
    """Capped training rows and test rows of a set."""

    texts: list[str]
    labels: list[Any]
    test_texts: list[str]
    test_labels: list[Any]


def rows_of(name: str, most: int, test: int) -> Rows:
    """The same rows at every call."""
    folder = data_folder() / "classify" / name
    parts = []
    for part, cap in (("train", most), ("test", test)):
        table = pq.read_table(folder / f"{part}.parquet").to_pydict()
        chosen = np.random.default_rng(0).permutation(len(table["text"]))[:cap]
        parts += [[table["text"][at] for at in chosen], [table["label"][at] for at in chosen]]
    return Rows(*parts)


def planned(rows: Rows, minutes: float) -> dict[str, Any]:
    """A plan's JSON, and what the advised way then takes."""
    folder = Path(mkdtemp(dir=WORK))
    try:
        with embank.Bank.create(folder / "bank") as bank:
            settings = embank.PlanSettings(1, len(rows.test_texts), TOLERANCE, minutes)
            found = document(bank.plan(rows.texts, {"label": rows.labels}, settings))
        task = found["plans"][0]
        advised = task["recommendation"]["way"]
        way = next(one for one in task["ways"] if one["way"] == advised)
        return {"plan": found, "actual": run(way, rows, 0, way["epochs"])}
    finally:
        shutil.rmtree(folder)


def run(way: dict[str, Any], rows: Rows, seed: int, epochs: int | None) -> dict[str, float]:
    """One way from an empty bank to predictions of the test rows: test macro-F1 and seconds."""
    loop = embank.TrainingSettings(epochs=epochs, patience=epochs or 3, seed=seed)  # all passes, as in a plan
    if way["family"] in ("student", "finetune"):
        return outside(way, rows, loop)
    folder = Path(mkdtemp(dir=WORK))
    try:
        with timed() as clock, embank.Bank.create(folder / "bank") as bank:
            bank.encode(rows.texts, columns=way["columns"])
            tail = embank.TailSettings(way["method"], None, loop) if way["method"] else None
            settings = embank.FitSettings(columns=tuple(way["columns"]), seed=seed, tail=tail)
            report = bank.fit("task", rows.labels, texts=rows.texts, settings=settings)
            began = time.perf_counter()
            guess = bank.predict(rows.test_texts)["task"].to_pylist()
            predicting = time.perf_counter() - began
        found = measures(np.array(rows.test_labels).astype(str), np.array(guess).astype(str), "single")
        return {
            "score": 100 * found["macro_f1"],
            "seconds": clock.seconds,
            "fit": report.seconds,
            "predict": predicting,
        }
    finally:
        shutil.rmtree(folder)


def outside(way: dict[str, Any], rows: Rows, loop: embank.TrainingSettings) -> dict[str, float]:
    """A student, or full fine-tuning."""
    train, test = (
        read_labels(labels, "single", texts)
        for labels, texts in ((rows.labels, rows.texts), (rows.test_labels, rows.test_texts))
    )
    with timed() as clock:
        encoder = open_encoder(locate("minilm"), "torch", "float32", CACHE)
        given = FineTuneData(rows.texts, train, rows.test_texts, test)
        if way["family"] == "student":
            found = distil(encoder, given, loop, StudentSettings(layers=way["layers"])).student
        else:
            found = finetune(encoder, given, loop)
    predicting = len(rows.test_texts) / found.texts_per_second
    return {
        "score": 100 * found.test["macro_f1"],
        "seconds": clock.seconds,
        "fit": clock.seconds - predicting,
        "predict": predicting,
    }


def of_set(name: str, asked: argparse.Namespace) -> tuple[dict[str, Any], dict[str, float]]:
    """A set's plan with what came true of it, and the test scores of all ways."""
    rows = rows_of(name, asked.rows, asked.test)
    stem = f"plan/{asked.rows}-{asked.minutes:g}/{name}"
    found = kept(stem, lambda: planned(rows, asked.minutes))
    task = found["plan"]["plans"][0]
    ways = [*task["ways"], *task["unmeasured"]]
    epochs = next((way["epochs"] for way in task["ways"] if way["epochs"]), None)
    scores = {}
    for way in ways:
        parts = [
            kept(
                f"plan/{asked.rows}/{name}-{way['way'].replace('/', '-')}-{seed}",
                lambda way=way, seed=seed: run(way, rows, seed, way.get("epochs") or epochs),
            )
            for seed in range(asked.seeds)
        ]
        scores[way["way"]] = float(np.mean([part["score"] for part in parts]))
        print(name, way["way"], [{key: round(value, 2) for key, value in part.items()} for part in parts], flush=True)
    return found, scores


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--sets", default=SETS)
    asked = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    lines = [
        "| set | advised | test | best of all | test | behind | unmeasured | predicted, s | taken, s | ratio |",
        "|---|---|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    right, near = 0, 0
    names = asked.sets.split(",")
    for name in names:
        found, scores = of_set(name, asked)
        task = found["plan"]["plans"][0]
        advised = task["recommendation"]["way"]
        predicted = next(way["total_seconds"] for way in task["ways"] if way["way"] == advised)
        best = max(scores, key=scores.__getitem__)
        behind, ratio = scores[best] - scores[advised], predicted / found["actual"]["seconds"]
        right += behind <= TOLERANCE
        near += abs(ratio - 1) <= NEAR
        lines.append(
            f"| {name} | {advised} | {scores[advised]:.1f} | {best} | {scores[best]:.1f} | {behind:.1f} | "
            f"{len(task['unmeasured'])} | {predicted:.1f} | {found['actual']['seconds']:.1f} | {ratio:.2f} |"
        )
    lines += [
        "",
        f"Test: macro-F1, of the way trained on all {asked.rows} rows. At most {asked.test} test rows, "
        f"{asked.minutes:g} minutes a plan, {asked.seeds} seeds. The advised way is within {TOLERANCE} points of the "
        f"best on {right} of {len(names)} sets; predicted seconds are within {NEAR:.0%} of those taken on {near} of "
        f"{len(names)}.",
    ]
    record("Plan. Is the advice right?", lines)


if __name__ == "__main__":
    main()
