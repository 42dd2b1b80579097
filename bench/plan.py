"""Plans: is what `embank plan` advises right, and do its seconds come true?

For each set a plan is made of capped training rows, for one task and as many texts as there are test rows, with an
empty bank. Right after it the advised way is run for real, from an empty bank to predictions of all test rows, and
timed. Then every way is run on all capped training rows and scored on test rows. Finished parts are kept.

    python bench/plan.py [--rows 1000] [--minutes 10] [--seeds 1] [--sets scicite,trec,sst2,cola,snips,tweet_emotion]

With `--from-parts` nothing is run: the rule of the advice is applied to the scores and seconds of the plans that are
kept with 3,000 and 600 labels, and beside it stand constant rules. These plans were made by an earlier version, which
ran most trained ways on one or two folds, and kept no predictions; so the standard error of a difference is computed
from the number of rows, with the share of them that one of two ways has right and the other has not (`--differ`).

    python bench/plan.py --from-parts [--differ 0.17]
"""

import argparse
import math
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import parts
import pyarrow.parquet as pq
from measuring import WORK, data_folder, kept, record, timed

import embank
from embank.distill.task_settings import StudentSettings
from embank.distill.task_student import distil
from embank.encoders.load import locate, open_encoder
from embank.fit.finetune import FineTuneData, finetune
from embank.labels.read import read_labels
from embank.metrics.classification import measures
from embank.plan import Way
from embank.plan.advice import Offer, advised
from embank.plan.json_document import document

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
    read = []
    for part, cap in (("train", most), ("test", test)):
        table = pq.read_table(folder / f"{part}.parquet").to_pydict()
        chosen = np.random.default_rng(0).permutation(len(table["text"]))[:cap]
        read += [[table["text"][at] for at in chosen], [table["label"][at] for at in chosen]]
    return Rows(*read)


def planned(rows: Rows, minutes: float) -> dict[str, Any]:
    """A plan's JSON, and what the advised way then takes."""
    folder = Path(mkdtemp(dir=WORK))
    try:
        with embank.Bank.create(folder / "bank") as bank:
            settings = embank.PlanSettings(tasks=1, texts=len(rows.test_texts), tolerance=TOLERANCE, minutes=minutes)
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
            tail = embank.TailSettings("full", None, loop) if way["family"] == "tail" else None
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
        runs = [
            kept(
                f"plan/{asked.rows}/{name}-{way['way'].replace('/', '-')}-{seed}",
                lambda way=way, seed=seed: run(way, rows, seed, way.get("epochs") or epochs),
            )
            for seed in range(asked.seeds)
        ]
        scores[way["way"]] = float(np.mean([part["score"] for part in runs]))
        print(name, way["way"], [{key: round(value, 2) for key, value in part.items()} for part in runs], flush=True)
    return found, scores


WAYS = tuple(f"frozen/{codec}" for codec in ("float32", "float16", "int8", "int4", "binary"))
WAYS = (*WAYS, "tail/2/full", "tail/3/full", "finetune", "student/2")
"""What a plan compares."""

PLANS = ((3000, "3000-12"), (600, "600-12"), (600, "600-6"))
"""Labels, and the folder of the plans that were made with them."""

CONSTANT = ("frozen/float16", "tail/2/full", "tail/3/full", "finetune")


def test_scores(rows: int, name: str) -> dict[str, float]:
    """Test scores of all ways of a set."""
    stem = f"plan/{rows}/{name}-"
    keys = [key for key in parts.read("plan") if key.startswith(stem) and key.endswith("-0")]
    return {key.removeprefix(stem).removesuffix("-0"): parts.found(key)["score"] for key in keys}


def offers(ways: Mapping[str, Mapping[str, Any]], differ: float) -> list[Offer]:
    """The ways of a kept plan, compared."""
    best = max(ways.values(), key=lambda way: (way["score"], -way["total_seconds"]))
    found = []
    for name, way in ways.items():
        rows = min(own["runs"] * own["held_out"] for own in (way, best))
        found.append(
            Offer(
                way=Way(name=name, family=way["family"], title=way["title"]),
                points=way["score"],
                behind=best["score"] - way["score"],
                standard_error=0.0 if way is best else 100 * math.sqrt(differ / rows),
                seconds=way["total_seconds"],
                text_bytes=way["bytes_per_text"],
            )
        )
    return found


def kept_to_a_third(found: list[Offer]) -> str:
    """Not what a plan does: the tail at a third, unless the rows show another way to be better, or cheaper and as good.

    A dearer or better way has to be ahead of the tail by more than the tolerance and one standard error; a cheaper one
    no further behind than the tolerance less one standard error.
    """
    tail = next((one for one in found if one.way.name == "tail/2/full"), None)
    if tail is None:
        return "tail/2/full"
    errors = {one.way.name: max(one.standard_error, tail.standard_error) for one in found}
    ahead = [one for one in found if one.points - tail.points > TOLERANCE + errors[one.way.name]]
    if ahead:
        return max(ahead, key=lambda one: one.points).way.name
    cheap = [
        one
        for one in found
        if one.seconds < tail.seconds and one.points >= tail.points - TOLERANCE + errors[one.way.name]
    ]
    return min([*cheap, tail], key=lambda one: one.seconds).way.name


def replayed(differ: float, names: list[str]) -> None:
    """The rule of the advice on kept plans, beside constant rules."""
    rules: dict[str, Callable[[list[Offer]], str]] = {
        "cheapest within 0.5 + 1 standard error (the advice)": lambda found: advised(found, TOLERANCE).way.name,
        "cheapest within 0.5": lambda found: (
            min((one for one in found if one.behind <= TOLERANCE), key=lambda one: one.seconds).way.name
        ),
        "tail/2/full unless shown otherwise": kept_to_a_third,
        **{f"always {way}": lambda _, way=way: way for way in CONSTANT},
    }
    lines = [f"| labels, plans | rule | {' | '.join(names)} | mean | within 0.5 |", "|---|---|" + "---:|" * 8]
    for rows, folder in PLANS:
        behind: dict[str, list[float]] = {rule: [] for rule in rules}
        chosen = []
        for name in names:
            test = test_scores(rows, name)
            ways = {way["way"]: way for way in kept(f"plan/{folder}/{name}", dict)["plan"]["plans"][0]["ways"]}
            found = offers({way: own for way, own in ways.items() if way in WAYS}, differ)
            for rule, choose in rules.items():
                behind[rule].append(max(test.values()) - test[choose(found).replace("/", "-")])
            runs = "".join(f", {way} on {ways[way]['runs']}" for way in CONSTANT[1:] if way in ways)
            chosen.append(f"{name} {advised(found, TOLERANCE).way.name}{runs}")
        for rule, points in behind.items():
            cells = " | ".join(f"{one:.1f}" for one in points)
            near = sum(one <= TOLERANCE for one in points)
            lines.append(f"| {rows:,}, {folder} | {rule} | {cells} | {np.mean(points):.2f} | {near} of {len(points)} |")
        print(folder, "; ".join(chosen))
    lines += [
        "",
        "Points of test macro-F1 behind the best of all 13 ways that were run, each trained once on all rows. Replayed "
        f"on kept plans; standard errors from rows, of which two ways differ on {differ:.0%}. {seeds()}",
    ]
    record("Plan. The advice, replayed", lines)


def seeds() -> str:
    """What two trainings of one way on the same rows differ by."""
    words = []
    for method, title in (("full", "a tail"), ("finetune", "full fine-tuning")):
        several: dict[str, list[float]] = {}
        for key in sorted(key for key in parts.read("tails") if re.fullmatch(rf"tails/1000-8/.*-{method}-.", key)):
            name = key.split("/")[-1].split("-")[0]
            several.setdefault(name, []).append(100 * parts.found(key)["score"])
        repeated = [own for own in several.values() if len(own) > 1]
        freedom = sum(len(own) - 1 for own in repeated)
        deviation = math.sqrt(sum(np.var(own, ddof=1) * (len(own) - 1) for own in repeated) / freedom)
        words.append(f"{title} {deviation:.1f} points ({len(repeated)} sets, {freedom} degrees of freedom)")
    return f"One deviation of a training's test score over seeds, 1,000 labels: {', '.join(words)}."


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--from-parts", action="store_true")
    parser.add_argument("--differ", type=float, default=0.17)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--sets", default=SETS)
    asked = parser.parse_args()
    if asked.from_parts:
        replayed(asked.differ, asked.sets.split(","))
        return
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
