"""Cross-model recycling: banked states of one encoder, mapped by a small network into the input of a smaller one.

The paper's second variant (2207.04993). The smaller encoder is minilm's first three layers, since no other trained
weights are at hand; its input, the embeddings of tokens, is replaced by a two-layer network on banked states. It is
compared with what it replaces (the smaller encoder fine-tuned on tokens) and with the plain tail of as many layers.

    python bench/cross_model.py [--rows 1000] [--epochs 8] [--sets scicite,trec]
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from corpus import macro_f1, task_data
from measuring import kept, record

import embank
from embank.encoders.load import locate, open_encoder
from embank.fit.cut_trials import MemorySource, states_at
from embank.models.full import EncoderWithHead
from embank.models.tail import Tail, build_tail
from embank.models.tail_settings import TailDesign, default_rate
from embank.training.outputs import predict_outputs
from embank.training.state_inputs import StateInputs
from embank.training.supervised import train_supervised
from embank.training.token_inputs import TokenInputs

DEPTH = 3
WAYS = ("tail", "small", "bridge-3", "bridge-6")
TITLES = {
    "tail": "tail: layers 4 to 6 on states 3",
    "small": "the smaller encoder on tokens",
    "bridge-3": "states 3, network, the smaller encoder",
    "bridge-6": "states 6, network, the smaller encoder",
}


class Bridge(torch.nn.Module):
    """A network on states, and a smaller encoder that takes its outputs for embeddings."""

    def __init__(self, tail: Tail, width: int, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.tail = tail
        self.network = torch.nn.Sequential(
            torch.nn.Linear(width, 2 * width), torch.nn.GELU(), torch.nn.Linear(2 * width, width)
        )

    def forward(self, states: torch.Tensor, mask: torch.Tensor, pool: torch.Tensor) -> torch.Tensor:
        """States to logits."""
        logits: torch.Tensor = self.tail(states + self.network(states), mask, pool)
        return logits

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """The network, and the smaller encoder."""
        return {**dict(self.network.named_parameters(prefix="network")), **self.tail.trainable()}


def measured(name: str, way: str, most: int, epochs: int) -> dict[str, float]:
    """Test macro-F1 of one way."""
    given = task_data(name, most, 0)
    labels, test = given.labels, given.test
    encoder = open_encoder(locate("minilm"), "torch", "float32", Path.home() / ".cache" / "embank")
    inputs: list[Any]
    if way == "small":
        encoder.model.encoder.layer = encoder.model.encoder.layer[:DEPTH]
        module: Any = EncoderWithHead(encoder, TailDesign(cut=0, method="full", kind="single", outputs=len(labels)), 0)
        inputs = [TokenInputs(encoder, some) for some in (given.texts, test.texts)]
    else:
        cut = {"tail": 3, "bridge-3": 3, "bridge-6": 6}[way]
        blocks = [states_at(encoder, some, [cut])[cut] for some in (given.texts, test.texts)]
        inputs = [StateInputs(MemorySource(dict(enumerate(some))), np.arange(len(some)), 0) for some in blocks]
        start = 3 if way == "tail" else 0
        design = TailDesign(cut=start, method="full", kind="single", outputs=len(labels), layers=DEPTH)
        tail = build_tail(encoder.model, encoder.n_layers, design, 0)
        module = tail if way == "tail" else Bridge(tail, encoder.width, 0)
    settings = embank.TrainingSettings(epochs=epochs, rate=default_rate("full", encoder.width))
    trained = train_supervised(module, given.split(inputs[0]), settings)
    logits = predict_outputs(module, inputs[1], np.arange(len(test.texts)))
    return {"score": macro_f1(given, logits), "validation": trained.position.best}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--sets", default="scicite,trec")
    asked = parser.parse_args()
    names = asked.sets.split(",")
    lines = ["| way | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for way in WAYS:
        scores = []
        for name in names:
            found = kept(
                f"cross-model/{asked.rows}-{asked.epochs}/{name}-{way}",
                lambda name=name, way=way: measured(name, way, asked.rows, asked.epochs),
            )
            scores.append(f"{100 * found['score']:.1f} ({100 * found['validation']:.1f})")
            print(name, way, scores[-1], flush=True)
        lines.append(f"| {TITLES[way]} | " + " | ".join(scores) + " |")
    lines += [
        "",
        f"Test macro-F1 (validation). At most {asked.rows} training rows, one seed, at most {asked.epochs} passes.",
    ]
    record("Tails 5. Cross-model recycling", lines)


if __name__ == "__main__":
    main()
