"""Estimates before anything is trained: a few steps of full fine-tuning, and operations for all the rest."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embank.codecs.steps import limit_of
from embank.encoders.batching import rounded_length
from embank.encoders.flops import Shape, adapter_flops, embedding_flops, flops, layer_flops, training_flops
from embank.labels.read import Labels
from embank.models.tail_design import TailSettings
from embank.optional import load
from embank.planning import Way
from embank.planning.tuning import Workshop
from embank.recipe import ColumnName
from embank.texts import Text
from embank.training.settings import TrainingSettings

_STEPS_TEXTS = 160
_BATCH = 32
_ROUNDING = 32
"""Trained batches are padded to a multiple of this."""

_VALIDATION = 1.1
"""What scoring held-back rows after each pass adds."""

_FIXED = 2.0
_READ = 3.0
"""A row that is only read takes a third of one that is trained on."""


@dataclass(frozen=True)
class Rates:
    """What trainings are expected to take.

    Attributes:
        row_pass: seconds a row and pass of full fine-tuning.
        shape: of the encoder.
        padded: tokens of a text in a trained batch, padding included.
    """

    row_pass: float
    shape: Shape
    padded: float

    def ratio(self, way: Way) -> float:
        """What a row and pass costs, in those of full fine-tuning."""
        own = way_flops(way, self.shape, self.padded, round_to=_ROUNDING)
        trained = training_flops(own)
        if way.method == "adapters":
            extra = _adapters(way, self.shape, self.padded)
            trained = training_flops(extra, passed=own - extra)
        if way.family == "student":  # its teacher reads all rows once more
            trained += flops(self.shape, self.padded) / 2
        return trained / training_flops(flops(self.shape, self.padded))

    def seconds(self, way: Way, rows: int, held_out: int, epochs: int) -> float:
        """One trial, with the scoring of held-out rows."""
        row_pass = self.row_pass * self.ratio(way)
        return _FIXED + row_pass * (rows * epochs * _VALIDATION + held_out / _READ)


def way_flops(way: Way, shape: Shape, tokens: float, round_to: int = 1) -> float:
    """Operations of what a task runs for itself: a tail, a student or a whole encoder; heads left out.

    Args:
        way: no frozen one.
        shape: of the encoder.
        tokens: of a text.
        round_to: what a bounded number of states is padded to.
    """
    if way.family == "finetune":
        return flops(shape, tokens)
    if way.family == "student":
        return embedding_flops(shape, tokens) + way.layers * layer_flops(shape, tokens)
    steps = ColumnName.parse(way.columns[0]).steps
    if steps:
        tokens = min(tokens, float(-(-limit_of(steps[0])[1] // round_to) * round_to))
    return flops(shape, tokens, way.cut) + _adapters(way, shape, tokens)


def way_training_flops(way: Way, shape: Shape, tokens: float) -> float:
    """Operations of a row and pass of training."""
    own = way_flops(way, shape, tokens)
    if way.method == "adapters":
        extra = _adapters(way, shape, tokens)
        return training_flops(extra, passed=own - extra)
    return training_flops(own)


def training_rate(shop: Workshop, texts: Sequence[int], shape: Shape) -> Rates:
    """Time a few steps of full fine-tuning, on labels without meaning.

    Args:
        shop: what trials work with.
        texts: numbers of some texts.
        shape: of the encoder.

    Raises:
        OutOfTimeError: the budget was used up.
    """
    finetuning = load("embank.fit.finetune", "torch")
    encoder = shop.opened()
    chosen = [shop.texts[number] for number in texts[:_STEPS_TEXTS]]
    while len(chosen) < 2 * _BATCH:
        chosen += [_renamed(text, len(chosen)) for text in chosen[: 2 * _BATCH - len(chosen)]]
    labels = Labels("single", tuple("ab"[at % 2] for at in range(len(chosen))))
    task = finetuning.encoder_task(encoder, finetuning.FineTuneData(chosen, labels), 0)
    ends: list[float] = []

    def watch(_: object) -> None:
        shop.budget.check()
        ends.append(time.perf_counter())

    settings = TrainingSettings(epochs=1 if len(chosen) > 3 * _BATCH else 2, batch=_BATCH)
    finetuning.train_encoder(task, task.rated(settings), None, watch)
    padded = float(np.mean([rounded_length(int(length)) for length in task.data.inputs.lengths]))
    return Rates(float(np.median(np.diff(ends))) / _BATCH, shape, padded)


def _renamed(text: Text, number: int) -> str:
    """Another text of about the same length: equal ones would count once."""
    return f"{text if isinstance(text, str) else ' '.join(text)} {number}"


def _adapters(way: Way, shape: Shape, tokens: float) -> float:
    if way.method != "adapters":
        return 0.0
    return adapter_flops(shape, tokens, shape.layers - way.cut, TailSettings().width)
