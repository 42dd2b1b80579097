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
from corpus import macro_f1, task_data
from measuring import kept, record

import embank
from embank.codecs import calibrate
from embank.codecs.reduction import limited
from embank.encoders.load import locate, open_encoder
from embank.fit.cut_trials import MemorySource, states_at
from embank.models.tail import build_tail
from embank.models.tail_settings import TailDesign, default_rate
from embank.training.outputs import predict_outputs
from embank.training.state_inputs import StateInputs
from embank.training.supervised import train_supervised

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
    given = task_data(name, most, seed)
    encoder = open_encoder(locate("minilm"), "torch", "float32", Path.home() / ".cache" / "embank")
    blocks = states_at(encoder, [*given.texts, *given.test.texts], [CUT])[CUT]
    coding = WAYS[way][0](np.concatenate(blocks[: min(len(given.texts), 512)]))
    coded = [coding(block) for block in blocks]
    design = TailDesign(cut=CUT, method="full", kind="single", outputs=len(given.labels))
    tail = build_tail(encoder.model, encoder.n_layers, design, seed)
    inputs, others = (
        StateInputs(MemorySource(dict(enumerate(some))), np.arange(len(some)), 0)
        for some in (coded[: len(given.texts)], coded[len(given.texts) :])
    )
    settings = embank.TrainingSettings(epochs=epochs, rate=default_rate("full", WIDTH), seed=seed)
    trained = train_supervised(tail, given.split(inputs), settings)
    logits = predict_outputs(tail, others, np.arange(len(given.test.texts)))
    tokens = np.mean([len(block) for block in coded])
    return {
        "score": macro_f1(given, logits),
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
