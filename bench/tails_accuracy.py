"""Tails: accuracy of frozen heads, tails and full fine-tuning, with minilm cut at half of its depth, states at float16.

Every way sees the same training rows (half as many of xquad_en, whose texts are long; a fifth of them held back for
early stopping), the same schedule and seeds; test rows are scored once. Classification: macro-F1; tagging: entity F1;
question answering: F1 of words. "frozen" is what `embank fit` does by default; for tags and spans it is a linear layer
on the last states. "full at 2" is a full tail with a third of the depth banked; "cut chosen" is the one of the two that
scores better on validation rows. Finished parts are kept.

    python bench/tails_accuracy.py [--rows 1000] [--seeds 1] [--sets scicite,...] [--ways frozen,full,...]
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measuring import WORK, data_folder, kept, record

import embank
from embank.encoders.load import ReadingOptions, locate, open_encoder
from embank.fit.finetune import FineTuneData, finetune
from embank.labels.answers import Answer
from embank.labels.read import read_labels
from embank.labels.words import words_text
from embank.metrics.classification import measures
from embank.metrics.spans import squad_scores
from embank.metrics.tagging import tagging_measures

CLASSIFY = ("scicite", "scierc_rel", "sst2", "cola", "trec", "clinc150")
TAG = ("bc5cdr", "scierc_ner", "wnut17")
SPAN = ("xquad_en",)
TITLES = {
    "frozen": "frozen",
    "full": "tail full",
    "adapters": "tail adapters",
    "lora": "tail LoRA",
    "finetune": "full fine-tuning",
    "lower": "tail full at 2",
    "chosen": "tail full, cut chosen",
}
WAYS = tuple(TITLES)
CUT, LOWER = 3, 2
KINDS = {**dict.fromkeys(CLASSIFY, "single"), **dict.fromkeys(TAG, "tagging"), **dict.fromkeys(SPAN, "span")}
MEASURE = {"single": "macro_f1", "tagging": "entity_f1", "span": "f1"}


def rows(name: str, most: int) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Training texts and labels, capped, and test texts and labels."""
    group = "classify" if name in CLASSIFY else "tag" if name in TAG else "qa"
    parts = []
    for part in ("train", "test"):
        table = pq.read_table(data_folder() / group / name / f"{part}.parquet").to_pydict()
        if group == "classify":
            found = table["text"], table["label"]
        elif group == "tag":
            found = [words_text(words) for words in table["tokens"]], table["tags"]
        else:
            answers = [
                {"text": [text], "answer_start": [start]}
                for text, start in zip(table["answer_text"], table["answer_start"], strict=True)
            ]
            found = list(zip(table["question"], table["context"], strict=True)), answers
        parts.append(found)
    (texts, labels), (test_texts, test_labels) = parts
    chosen = np.random.default_rng(0).permutation(len(texts))[:most]
    return [texts[at] for at in chosen], [labels[at] for at in chosen], list(test_texts), list(test_labels)


def score(kind: str, truth: list[Any], guess: list[Any], texts: list[Any]) -> float:
    """The measure of a kind on test rows."""
    if kind == "single":
        return measures(np.array(truth), np.array(guess), "single")["macro_f1"]
    if kind == "tagging":
        pairs = [(right, found or ["O"] * len(right)) for right, found in zip(truth, guess, strict=True)]
        return tagging_measures([right for right, _ in pairs], [found for _, found in pairs])["entity_f1"]
    del texts
    answers = [Answer(tuple(right["text"]), tuple(right["answer_start"])) for right in truth]
    return squad_scores([found or "" for found in guess], answers)["f1"]


def measured(name: str, way: str, seed: int, most: int, epochs: int) -> dict[str, float]:
    """Test score and training seconds of one way on one set."""
    texts, labels, test_texts, test_labels = rows(name, most // 2 if name in SPAN else most)
    kind = KINDS[name]
    reading = ReadingOptions(max_tokens=None if kind == "single" else 512)
    loop = embank.TrainingSettings(epochs=epochs, seed=seed)
    if way == "finetune":
        encoder = open_encoder(locate("minilm", reading), "torch", "float32", Path.home() / ".cache" / "embank")
        train, test = (read_labels(some, kind, given) for some, given in ((labels, texts), (test_labels, test_texts)))
        tuned = finetune(encoder, FineTuneData(texts, train, test_texts, test), loop)
        return {
            "score": tuned.test[MEASURE[kind]],
            "seconds": tuned.report.chosen["training seconds"],
            "per_pass": tuned.seconds_per_pass,
            "validation": max(tuned.report.tried.values()),
        }
    folder, options = WORK / "tails-banks" / name, embank.BankOptions(reading=reading)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with embank.Bank.open(folder, options) if folder.is_dir() else embank.Bank.create(folder, options) as bank:
        if way == "frozen" and kind == "single":
            bank.encode([*texts, *test_texts])
            settings = embank.FitSettings(seed=seed)
        else:
            cut = {"frozen": 6, "lower": LOWER}.get(way, CUT)
            bank.encode([*texts, *test_texts], columns=[f"minilm/{cut}/states@float16"])
            tail = embank.TailSettings(method="full" if way in ("frozen", "lower") else way, cut=cut, training=loop)
            settings = embank.FitSettings(kind=kind, seed=seed, tail=tail)
        task = f"{way}-{seed}"
        report = bank.fit(task, labels, texts=texts, settings=settings)
        start = time.perf_counter()
        guess = bank.predict(test_texts, tasks=[task])[task].to_pylist()
        seconds = time.perf_counter() - start
    passes = max(1, len(report.tried))
    spent = float(report.chosen.get("training seconds", report.seconds))
    return {
        "score": score(kind, test_labels, guess, test_texts),
        "seconds": spent,
        "per_pass": spent / passes,
        "validation": report.validation[report.measure],
        "predict_seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--sets", default=",".join(KINDS))
    parser.add_argument("--ways", default=",".join(WAYS))
    asked = parser.parse_args()
    ways = asked.ways.split(",")
    table: dict[str, dict[str, float]] = {}
    for name in asked.sets.split(","):
        scores: dict[str, list[float]] = {way: [] for way in ways}
        for seed in range(asked.seeds):
            validation: dict[str, float] = {}
            for way in (way for way in ways if way != "chosen"):
                part = f"tails/{asked.rows}-{asked.epochs}/{name}-{way}-{seed}"
                found = kept(
                    part, lambda name=name, way=way, seed=seed: measured(name, way, seed, asked.rows, asked.epochs)
                )
                scores[way].append(found["score"])
                validation[way] = found["validation"]
                print(name, way, seed, {key: round(value, 3) for key, value in found.items()}, flush=True)
            if "chosen" in ways:
                best = max(("full", "lower"), key=lambda way: validation[way])
                scores["chosen"].append(scores[best][-1])
        table[name] = {way: 100 * float(np.mean(own)) for way, own in scores.items()}
    lines = ["| set | " + " | ".join(TITLES[way] for way in ways) + " |", "|---|" + "---:|" * len(ways)]
    lines += ["| " + name + " | " + " | ".join(f"{own[way]:.1f}" for way in ways) + " |" for name, own in table.items()]
    mean = {way: float(np.mean([own[way] for own in table.values()])) for way in ways}
    lines += ["| **mean** | " + " | ".join(f"**{mean[way]:.2f}**" for way in ways) + " |", ""]
    lines.append(f"At most {asked.rows} training rows, {asked.seeds} seeds, at most {asked.epochs} passes.")
    if "finetune" in ways:
        targets = {"full": " (target -0.5 or better)", "adapters": " (target -1.0 or better)"}
        distances = [
            f"{TITLES[way]} {mean[way] - mean['finetune']:+.2f}{targets.get(way, '')}"
            for way in ways
            if way not in ("frozen", "finetune")
        ]
        lines[-1] += f" To full fine-tuning: {', '.join(distances)}."
    record("Tails 1. Accuracy", lines)


if __name__ == "__main__":
    main()
