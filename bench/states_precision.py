"""Tails: what states may weigh. Precisions of states under a trained tail, minilm cut at half of its depth.

Every precision sees the same training rows, split, schedule and seeds. `int8` is the codec of Embank, a scale for each
dimension; `int8, a scale a token` and `4 bits` are tried here alone; `1 bit` is Embank's binary codec. `first 8` and
`8 segments` limit the number of states at float16.

    python bench/states_precision.py [--rows 1000] [--seeds 1] [--sets scicite,trec,sst2]
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from corpus import split
from measuring import kept, record
from sklearn.metrics import f1_score

import embank
from embank.codecs import calibrate
from embank.encoders.limits import limited
from embank.encoders.opening import locate, open_encoder
from embank.fitting.cuts import MemorySource, states_at
from embank.fitting.examples import collect
from embank.fitting.targets import targets_of
from embank.tails import TailDesign
from embank.tails.learning import Assignment, StateLessons, learn, outputs_of
from embank.tails.modules import build_tail
from embank.tails.objectives import PooledObjective
from embank.tasks import read_labels

CUT = 3
WIDTH = 384
Coding = Callable[[Any], Any]


def codec(name: str) -> Callable[[Any], Coding]:
    """A codec of Embank, calibrated on a sample of tokens."""

    def learned(sample: Any) -> Coding:
        one = calibrate(name, sample)
        return lambda block: one.decode(one.encode(block))

    return learned


def per_token(_: Any) -> Coding:
    """8 bits, the largest number of each token at the end of the scale."""

    def code(block: Any) -> Any:
        scale = np.abs(block).max(axis=1, keepdims=True) / 127
        return (np.rint(block / scale) * scale).astype(np.float32)

    return code


def four_bits(sample: Any) -> Coding:
    """16 levels between percentiles of each dimension."""
    low, high = np.percentile(sample, [0.5, 99.5], axis=0).astype(np.float32)
    step = np.maximum(high - low, 1e-6) / 15

    def code(block: Any) -> Any:
        return (np.clip(np.rint((block - low) / step), 0, 15) * step + low).astype(np.float32)

    return code


def limit(step: str) -> Callable[[Any], Coding]:
    """Fewer states than tokens."""
    return lambda _: lambda block: limited(block.astype(np.float16).astype(np.float32), [step])


WAYS: dict[str, tuple[Callable[[Any], Coding], float]] = {
    "float16": (codec("float16"), 16),
    "int8": (codec("int8"), 8),
    "int8, a scale a token": (per_token, 8),
    "4 bits": (four_bits, 4),
    "1 bit": (codec("binary"), 1),
    "first 8": (limit("first8"), 16),
    "8 segments": (limit("segments8"), 16),
}


def measured(name: str, way: str, seed: int, most: int, epochs: int) -> dict[str, float]:
    """Test macro-F1 of a tail on coded states."""
    train, test = split(name)
    texts = [*dict.fromkeys(train.texts[:most])]
    label_of = dict(zip(train.texts[:most], train.labels[:most], strict=True))
    parsed = read_labels([label_of[text] for text in texts], "single")
    examples, _ = collect(list(range(len(texts))), None, parsed, seed)
    encoder = open_encoder(locate("minilm"), "torch", "float32", Path.home() / ".cache" / "embank")
    blocks = states_at(encoder, [*texts, *test.texts], [CUT])[CUT]
    sample = np.concatenate(blocks[: min(len(texts), 512)])
    coding = WAYS[way][0](sample)
    coded = [coding(block) for block in blocks]
    held = np.array(examples.held_back)
    parts = np.flatnonzero(~held), np.flatnonzero(held)
    y, labels = targets_of("single", examples.values)
    objective = PooledObjective("single", y, labels, parts[0])
    design = TailDesign(CUT, "full", "single", len(labels))
    tail = build_tail(encoder.model, encoder.n_layers, design, seed)
    lessons = StateLessons(MemorySource(dict(enumerate(coded))), examples.texts, objective, 0)
    settings = embank.TrainingSettings(epochs=epochs, rate=1e-4, seed=seed)
    trained = learn(tail, Assignment(lessons, objective, *parts), settings)
    others = StateLessons(MemorySource(dict(enumerate(coded[len(texts) :]))), np.arange(len(test.texts)), objective, 0)
    logits = np.stack(outputs_of(tail, others, np.arange(len(test.texts))))
    guess = np.array(labels)[logits.argmax(axis=1)]
    tokens = np.mean([len(block) for block in coded])
    return {
        "score": f1_score(test.labels, guess, average="macro"),
        "bytes": float(tokens * WIDTH * WAYS[way][1] / 8),
        "validation": trained.position.best,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--sets", default="scicite,trec,sst2")
    asked = parser.parse_args()
    names = asked.sets.split(",")
    lines = ["| states | bytes a text | " + " | ".join(names) + " | mean |", "|---|---:|" + "---:|" * (len(names) + 1)]
    for way in WAYS:
        means, weights = [], []
        for name in names:
            found = [
                kept(
                    f"states-precision/{asked.rows}-{asked.epochs}/{name}-{way.replace(' ', '-')}-{seed}",
                    lambda name=name, way=way, seed=seed: measured(name, way, seed, asked.rows, asked.epochs),
                )
                for seed in range(asked.seeds)
            ]
            print(name, way, [round(one["score"], 4) for one in found], flush=True)
            means.append(100 * float(np.mean([one["score"] for one in found])))
            weights.append(np.mean([one["bytes"] for one in found]))
        scores = " | ".join(f"{mean:.1f}" for mean in means)
        lines.append(f"| {way} | {np.mean(weights):,.0f} | {scores} | {np.mean(means):.2f} |")
    lines += ["", f"At most {asked.rows} training rows, {asked.seeds} seeds, at most {asked.epochs} passes; macro-F1."]
    record("Tails 3. Precision of states", lines)


if __name__ == "__main__":
    main()
