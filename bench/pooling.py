"""Learned pooling: positions, layers and limited sizes, on banked states of minilm at float16.

Every design sees the same training rows (a fifth of them held back for early stopping), schedule and seeds; test rows
are scored once. Classification: macro-F1; tagging: entity F1; question answering: F1 of words. Over positions: first,
mean, max, attention; over layers: one of them (layer 4), all six side by side, a learned scalar mix, two stages. Tags
and spans need a state for every token, so they have layers only, and no two stages. Limited sizes, at layer 4: the
first m positions, the means of m segments, or m attention queries, side by side under one linear layer; a text of fewer
positions has zeros there. Finished parts are kept.

    python bench/pooling.py [--rows 1000] [--seeds 1] [--epochs 30] [--sets scicite,...]
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import kept, record
from tails_accuracy import KINDS, MEASURE, rows

import embank
from embank.codecs.reduction import limited
from embank.encoders.load import ReadingOptions, locate, open_encoder
from embank.fit.cut_trials import MemorySource, states_at
from embank.fit.finetune import EncoderTask, FineTuneData, encoder_task
from embank.fit.objective import objective_for
from embank.labels.read import Labels, read_labels
from embank.models.learned_pooling import LearnedPooling, PooledHead
from embank.models.pooling_design import OVER, RATE, PoolingDesign
from embank.training.outputs import predict_outputs
from embank.training.state_inputs import LayerInputs
from embank.training.supervised import train_supervised

LAYERS = (1, 2, 3, 4, 5, 6)
ONE = (4,)
WIDTH = 384
DROPOUT = 0.1
SIZES = (1, 2, 4, 8, 16)
MIXES = ("one", "concatenated", "scalar", "two-stage")
LIMITS = ("first", "segments", "queries")
Way = tuple[str, str, int]
"""Over positions, over layers or a limit, and how many vectors."""

SETS = ("scicite", "trec", "cola", "wnut17", "xquad_en")


class Tokens(torch.nn.Module):
    """Layers made one, and an output layer on every token."""

    def __init__(self, design: PoolingDesign, outputs: int, seed: int) -> None:
        super().__init__()
        self.pooling = LearnedPooling(design, WIDTH, seed)
        self.dropout = torch.nn.Dropout(DROPOUT)
        self.output = _linear(design.width(WIDTH), outputs, seed)

    def forward(self, states: torch.Tensor, pool: torch.Tensor) -> torch.Tensor:
        """`[batch, layers, length, width]` to `[batch, length, outputs]`."""
        del pool  # every token is read
        mixed = self.pooling.mixed(states)
        return self.output(self.dropout(torch.nn.functional.layer_norm(mixed, mixed.shape[-1:])))

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """All of it."""
        return dict(self.named_parameters())


class SideBySide(torch.nn.Module):
    """A limited number of states side by side, and an output layer."""

    def __init__(self, size: int, outputs: int, seed: int) -> None:
        super().__init__()
        self.size = size
        self.dropout = torch.nn.Dropout(DROPOUT)
        self.output = _linear(size * WIDTH, outputs, seed)

    def forward(self, states: torch.Tensor, pool: torch.Tensor) -> torch.Tensor:
        """`[batch, 1, length, width]` to `[batch, outputs]`."""
        there = (states[:, 0] * pool.unsqueeze(-1))[:, : self.size]
        there = torch.nn.functional.pad(there, (0, 0, 0, self.size - there.shape[1])).flatten(1)
        return self.output(self.dropout(torch.nn.functional.layer_norm(there, there.shape[-1:])))

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """All of it."""
        return dict(self.named_parameters())


def _linear(width: int, outputs: int, seed: int) -> torch.nn.Linear:
    linear = torch.nn.Linear(width, outputs)
    torch.nn.init.normal_(linear.weight, std=0.02, generator=torch.Generator().manual_seed(seed))
    torch.nn.init.zeros_(linear.bias)
    return linear


@lru_cache(maxsize=1)
def prepared(name: str, most: int, seed: int) -> tuple[EncoderTask, Any, dict[int, list[Any]], dict[int, list[Any]]]:
    """A set: its training rows with their split, its test objective, and states of all layers of both."""
    kind = KINDS[name]
    texts, labels, test_texts, test_labels = rows(name, most)
    test_texts, test_labels = test_texts[:most], test_labels[:most]
    reading = ReadingOptions(max_tokens=None if kind == "single" else 512)
    encoder = open_encoder(locate("minilm", reading), "torch", "float32", Path.home() / ".cache" / "embank")
    task = encoder_task(encoder, FineTuneData(texts, read_labels(labels, kind, texts)), seed)
    truth: Labels = read_labels(test_labels, kind, test_texts)
    everything = np.arange(len(test_texts))
    other, _ = objective_for(truth, test_texts, everything, encoder, task.objective)
    return (
        task,
        other,
        _halved(states_at(encoder, task.contents, LAYERS)),
        _halved(states_at(encoder, test_texts, LAYERS)),
    )


def _halved(states: dict[int, list[Any]]) -> dict[int, list[Any]]:
    return {layer: [block.astype(np.float16) for block in blocks] for layer, blocks in states.items()}


def measured(name: str, way: Way, seed: int, most: int, epochs: int) -> dict[str, float]:
    """Test score of one way."""
    over, mix, size = way
    task, other, states, test_states = prepared(name, most, seed)
    layers = ONE if mix in ("one", *LIMITS) else LAYERS
    limit = f"{mix}{size}" if mix in ("first", "segments") else ""
    inputs = LayerInputs(_sources(states, layers, limit), np.arange(len(task.contents)))
    others = LayerInputs(_sources(test_states, layers, limit), np.arange(len(test_states[1])))
    outputs = task.objective.n_outputs
    module: Any
    if limit:
        module = SideBySide(size, outputs, seed)
    else:
        design = PoolingDesign(layers, over, size, "one" if mix == "queries" else mix)
        if KINDS[name] == "single":
            module = PooledHead(LearnedPooling(design, WIDTH, seed), outputs, DROPOUT, seed)
        else:
            module = Tokens(design, outputs, seed)
    settings = embank.TrainingSettings(epochs=epochs, rate=RATE, patience=6, seed=seed)
    trained = train_supervised(module, replace(task.data, inputs=inputs), settings)
    learned = task.objective.calibrated(task.data.held_back, predict_outputs(module, inputs, task.data.held_back))
    which = np.arange(len(others.lengths))
    return {
        "score": other.measure(which, predict_outputs(module, others, which), learned)[MEASURE[KINDS[name]]],
        "validation": trained.position.best,
        "seconds": trained.position.seconds,
    }


def _sources(states: dict[int, list[Any]], layers: Sequence[int], limit: str) -> list[MemorySource]:
    steps = [limit] if limit else []
    return [
        MemorySource({at: limited(block.astype(np.float32), steps) if steps else block for at, block in enumerate(own)})
        for own in (states[layer] for layer in layers)
    ]


def scores(names: Sequence[str], ways: Sequence[Way], asked: argparse.Namespace) -> dict[Way, list[float]]:
    """Test scores in percent of each way, one a set: means over seeds."""
    found: dict[Way, list[float]] = {way: [] for way in ways}
    for name in names:
        of_seeds: dict[Way, list[float]] = {way: [] for way in ways}
        for seed in range(asked.seeds):
            for way in ways:
                part = f"pooling/{asked.rows}-{asked.epochs}/{name}-{way[0]}-{way[1]}-{way[2]}-{seed}"
                one = kept(part, lambda way=way: measured(name, way, seed, asked.rows, asked.epochs))  # noqa: B023 - called at once
                print(name, *way, seed, {key: round(value, 3) for key, value in one.items()}, flush=True)
                of_seeds[way].append(100 * one["score"])
        for way, own in of_seeds.items():
            found[way].append(float(np.mean(own)))
    return found


def table(titles: Sequence[str], lines: Iterable[tuple[Sequence[str], Sequence[float]]]) -> list[str]:
    """A Markdown table whose numbers have a mean at their end."""
    found = ["| " + " | ".join(titles) + " | mean |"]
    for heads, scores in lines:
        if len(found) == 1:
            found.append("|---" * len(heads) + "|---:" * (len(scores) + 1) + "|")
        cells = [f"{score:.1f}" for score in scores]
        found.append("| " + " | ".join([*heads, *cells, f"{np.mean(scores):.2f}"]) + " |")
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--sets", default=",".join(SETS))
    asked = parser.parse_args()
    pooled = [name for name in asked.sets.split(",") if KINDS[name] == "single"]
    tokens = [name for name in asked.sets.split(",") if KINDS[name] != "single"]
    lines = [
        f"At most {asked.rows} training and test rows, {asked.seeds} seeds, at most {asked.epochs} passes, learning "
        f"rate {RATE}; minilm, states at float16, one layer is layer {ONE[0]}, the others are layers 1 to 6."
    ]
    if pooled:
        mixed = [(over, mix, 1) for over in OVER for mix in MIXES]
        sized = [("attention", limit, size) for limit in LIMITS for size in SIZES]
        found = scores(pooled, [*mixed, *sized], asked)
        lines += ["", *table(["positions", "layers", *pooled], ((way[:2], found[way]) for way in mixed))]
        lines += ["", *table(["limited to", "m", *pooled], (((way[1], str(way[2])), found[way]) for way in sized))]
    if tokens:
        ways = [("mean", mix, 1) for mix in MIXES if mix != "two-stage"]
        found = scores(tokens, ways, asked)
        lines += ["", *table(["layers, a row a token", *tokens], (((way[1],), own) for way, own in found.items()))]
    record("Pooling", lines)


if __name__ == "__main__":
    main()
