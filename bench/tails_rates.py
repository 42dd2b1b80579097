"""Tails: which learning rate suits each way to train one. Validation rows alone; minilm cut at half of its depth.

python bench/tails_rates.py [--rows 1000] [--epochs 6] [--sets scicite,trec]
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from corpus import task_data
from measuring import kept, record

import embank
from embank.encoders.load import locate, open_encoder
from embank.fit.cut_trials import MemorySource, states_at
from embank.models.full import EncoderWithHead
from embank.models.tail import build_tail
from embank.models.tail_settings import TailDesign
from embank.training.state_inputs import StateInputs
from embank.training.supervised import train_supervised
from embank.training.token_inputs import TokenInputs

CUT = 3
RATES = {
    "full": (1e-4, 2e-4, 4e-4),
    "adapters": (5e-4, 1e-3, 2e-3, 4e-3),
    "lora": (5e-4, 1e-3, 3e-3, 1e-2),
    "finetune": (1e-4, 2e-4),
}
"""Ways to train a tail, and the whole encoder."""


def measured(name: str, method: str, rate: float, most: int, epochs: int) -> float:
    """The best validation score of one training."""
    given = task_data(name, most, 0)
    settings = embank.TrainingSettings(epochs=epochs, rate=rate)
    encoder = open_encoder(locate("minilm"), "torch", "float32", Path.home() / ".cache" / "embank")
    if method == "finetune":
        module: Any = EncoderWithHead(
            encoder, TailDesign(cut=0, method="full", kind="single", outputs=len(given.labels)), 0
        )
        tokens = TokenInputs(encoder, given.texts)
        return float(train_supervised(module, given.split(tokens), settings).position.best)
    blocks = states_at(encoder, given.texts, [CUT])[CUT]
    tail = build_tail(
        encoder.model, encoder.n_layers, TailDesign(cut=CUT, method=method, kind="single", outputs=len(given.labels)), 0
    )
    numbers = np.arange(len(given.texts))
    inputs = StateInputs(MemorySource(dict(enumerate(blocks))), numbers, 0)
    return float(train_supervised(tail, given.split(inputs), settings).position.best)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--sets", default="scicite,trec")
    asked = parser.parse_args()
    names = asked.sets.split(",")
    lines = ["| way | rate | " + " | ".join(names) + " |", "|---|---:|" + "---:|" * len(names)]
    for method, rates in RATES.items():
        for rate in rates:
            scores = []
            for name in names:
                part = f"tails-rates/{asked.rows}-{asked.epochs}/{name}-{method}-{rate}"
                found = kept(
                    part,
                    lambda name=name, method=method, rate=rate: measured(name, method, rate, asked.rows, asked.epochs),
                )
                scores.append(f"{100 * found:.1f}")
            lines.append(f"| {method} | {rate:g} | " + " | ".join(scores) + " |")
            print(lines[-1], flush=True)
    lines += ["", f"Best validation macro-F1 of at most {asked.epochs} passes over {asked.rows} rows, one seed."]
    record("Tails: learning rates", lines)


if __name__ == "__main__":
    main()
