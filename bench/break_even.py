"""Break-even: one shared encoder with frozen heads against one small student a task, for 1 to 20 tasks.

The student keeps one of minilm's six layers, about a seventh of the encoder's operations. Total inference of T tasks on
the same texts: in operations from the architecture, in seconds on this machine; with nothing encoded yet, and with the
bank filled. Accuracy: test macro-F1, capped training rows. Seconds of the students are taken
twice: in torch, as `embank baseline student` runs them, and in the backend that the encoder runs in.

    python bench/break_even.py [--rows 1000] [--texts 2000] [--sets scicite,trec,sst2,cola,snips,tweet_emotion]
"""

import argparse
import shutil
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from measuring import WORK, claim, kept, record

import embank
from embank.encode.batch_encode import encode_texts
from embank.encoders import Readout
from embank.encoders.flops import embedding_flops, flops, head_flops, layer_flops, shape_of
from embank.encoders.load import locate, open_encoder
from embank.encoders.openvino import GraphEncoder
from embank.models.shortened import shortened
from embank.plan import Cost
from embank.plan.break_even import by_tasks, passes
from plan import CACHE, SETS, Rows, outside, rows_of, run

LAYERS = 1
TASKS = (1, 2, 3, 5, 7, 10, 15, 20)
DEFAULT = tuple(f"minilm/{column}@float16" for column in ("2/mean", "3/max", "4/mean", "6/mean"))
FROZEN = {"family": "frozen", "columns": list(DEFAULT), "method": ""}
STUDENT = {"family": "student", "layers": LAYERS}


def seconds_of(texts: list[str], labels: list[Any]) -> dict[str, float]:
    """Seconds a text: encoding, one head on banked rows, a student in torch and in OpenVINO."""
    folder = Path(mkdtemp(dir=WORK))
    try:
        with embank.Bank.create(folder / "bank") as bank:
            bank.encode(
                texts[: len(texts) // 5], columns=DEFAULT
            )  # opened, compiled and, where it is not known, chosen
            began = time.perf_counter()
            report = bank.encode(texts)
            encoding = (time.perf_counter() - began) / report.new
            for number in range(10):
                bank.fit(f"task-{number}", labels, texts=texts, settings=embank.FitSettings(columns=DEFAULT))
            alone, ten = (banked(bank, tasks) for tasks in (["task-0"], [f"task-{number}" for number in range(10)]))
            compute = bank.summary().encoders[0].compute
        return {
            "encoding": encoding,
            "scan": alone / len(texts),
            "head": max(1e-9, (ten - alone) / 9 / len(texts)),
            **students(texts),
            "tokens": tokens_of(texts),
            "compute": compute,  # type: ignore[dict-item]
        }
    finally:
        shutil.rmtree(folder)


def banked(bank: embank.Bank, tasks: list[str]) -> float:
    """Seconds to predict the whole bank."""
    best = []
    for _ in range(3):
        began = time.perf_counter()
        for _ in bank.answer(None, tasks=tasks):
            pass
        best.append(time.perf_counter() - began)
    return min(best)


def students(texts: list[str]) -> dict[str, float]:
    """Seconds a text of a student's pass, tokenising included."""
    encoder: Any = open_encoder(locate("minilm"), "torch", "float32", CACHE)
    small = shortened(encoder, (0,))
    encoder.model, encoder.n_layers = small.model, LAYERS
    found = {"student, torch": timed_pass(encoder, texts)}
    folder = Path(mkdtemp(dir=WORK))
    try:  # a cache of its own: graphs are found by the digest of the whole encoder's weights
        found["student, openvino"] = timed_pass(GraphEncoder(encoder, folder, "bfloat16"), texts)
    finally:
        shutil.rmtree(folder)
    return found


def timed_pass(encoder: Any, texts: list[str]) -> float:
    """Seconds a text, kernels compiled."""
    readouts = [Readout(LAYERS, "mean")]
    encode_texts(encoder, texts, readouts)
    began = time.perf_counter()
    encode_texts(encoder, texts, readouts)
    return (time.perf_counter() - began) / len(texts)


def tokens_of(texts: list[str]) -> float:
    """Tokens a text."""
    encoder = open_encoder(locate("minilm"), "torch", "float32", CACHE)
    return float(np.mean([len(ids) for ids in encoder.tokens(texts).ids]))


def accuracy(name: str, rows: Rows, most: int, epochs: int | None) -> tuple[float, float]:
    """Test macro-F1 of frozen heads and of a student."""
    stem = f"break-even/{most}/{name}"
    frozen = kept(f"{stem}-frozen", lambda: run(FROZEN, rows, 0, None))["score"]
    loop = embank.TrainingSettings(epochs=epochs)
    return frozen, kept(f"{stem}-student-{LAYERS}", lambda: outside(STUDENT, rows, loop))["score"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--sets", default=SETS)
    asked = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    names = asked.sets.split(",")
    scores = {name: accuracy(name, rows_of(name, asked.rows, asked.test), asked.rows, asked.epochs) for name in names}
    timed = rows_of(names[0], asked.texts, 1)
    taken = kept(f"break-even/seconds-{names[0]}-{asked.texts}", lambda: seconds_of(timed.texts, timed.labels))
    config = open_encoder(locate("minilm"), "torch", "float32", CACHE).model.config  # type: ignore[attr-defined]
    shape, tokens = shape_of(config), taken["tokens"]
    small = embedding_flops(shape, tokens) + LAYERS * layer_flops(shape, tokens)
    classes = len(set(timed.labels))
    costs = {
        "operations": (
            Cost(0, flops(shape, tokens), 0, head_flops(4 * shape.width, classes)),
            Cost(0, 0, 0, small + head_flops(shape.width, classes)),
        ),
        **{
            f"seconds, {backend}": (
                Cost(0, taken["encoding"] + taken["scan"], 0, taken["head"]),
                Cost(0, 0, 0, taken[backend]),
            )
            for backend in ("student, torch", "student, openvino")
        },
    }
    record("Plan. Break-even of a shared encoder and students", table(costs, scores, taken, asked))
    for unit, (shared, student) in costs.items():
        crossing = passes(by_tasks(shared, 1), by_tasks(student, 1))
        claim(f"breakeven.{unit.rpartition(' ')[2]}", f"{crossing} tasks")


def table(costs: Any, scores: Any, taken: Any, asked: argparse.Namespace) -> list[str]:
    """Totals by the number of tasks, crossings and accuracy."""
    lines = ["| counted in | what | " + " | ".join(f"{tasks} tasks" for tasks in TASKS) + " |"]
    lines.append("|---|---|" + "---:|" * len(TASKS))
    for unit, (shared, student) in costs.items():
        scale = 1e-9 if unit == "operations" else 1000
        for what, cost in (
            ("encoder and heads", shared),
            ("the same, bank filled", shared.filled()),
            ("students", student),
        ):
            cells = " | ".join(f"{scale * cost.total(tasks, 1):.3g}" for tasks in TASKS)
            lines.append(f"| {unit} | {what} | {cells} |")
    lines += ["", "A text: 10^9 operations, or milliseconds. The encoder and its heads are cheaper than students"]
    for unit, (shared, student) in costs.items():
        empty, filled = (passes(by_tasks(one, 1), by_tasks(student, 1)) for one in (shared, shared.filled()))
        lines.append(f"- in {unit}: from {empty} tasks on; with the bank filled from {filled} on")
    means = np.mean(list(scores.values()), axis=0)
    lines += ["", "| | " + " | ".join(scores) + " | mean |", "|---|" + "---:|" * (len(scores) + 1)]
    for at, what in enumerate(("frozen heads", f"student of {LAYERS} layer")):
        lines.append(f"| {what} | " + " | ".join(f"{own[at]:.1f}" for own in scores.values()) + f" | {means[at]:.2f} |")
    ratio = costs["operations"][1].task_text / costs["operations"][0].text
    lines += [
        "",
        f"Test macro-F1, {asked.rows} training rows. A student has {ratio:.3f} of the encoder's operations; "
        f"{taken['tokens']:.1f} tokens a text; the encoder computes in {taken['compute']}.",
    ]
    return lines


if __name__ == "__main__":
    main()
