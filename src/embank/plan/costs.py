"""The cost model: seconds of a way on all rows, from the seconds of trials on some of them.

Reading. The encoder's speed is measured in tokens per second over all layers, tokenising apart. A pass that stops at a
lower layer takes the same share of the rest as it has of the operations:

    seconds(text, cut) = tokenising + (whole pass - tokenising) * flops(0..cut) / flops(0..L)

Training. A trial says how long a row took per pass (its share of validation included). Trials, and fits that obey a
plan, make all of their passes and keep the best, so that their number is known:

    seconds(rows) = fixed + passes * rows * (row and pass) + rows * (reading a row)

Heads. A fit takes what one on all rows that were read took, in proportion to rows. It has a part that does not grow
with rows (the penalty path over dimensions), so with many more rows than were read this says too much, not too little.

Prediction. seconds(tasks, texts) is linear in both (`Cost.total`).
"""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from embank.encoders.flops import Shape, flops

BATCH = 32
"""Rows of a training step."""

STEPS = 250
"""Of each training of a trial: fewer say little of what a way can reach, so if time is short, ways are left out."""

FEWEST_EPOCHS = 4
"""A fit makes at least so many passes if it is not stopped early."""


@dataclass(frozen=True)
class Pace:
    """How fast the encoder reads on this machine.

    Attributes:
        opening: seconds until it is ready, kernels compiled.
        tokenising: seconds per text.
        reading: seconds per text through all layers, tokenising included.
        tokens: per text, in the mean.
    """

    opening: float
    tokenising: float
    reading: float
    tokens: float

    @property
    def tokens_per_second(self) -> float:
        """Through all layers, tokenising included."""
        return self.tokens / max(self.reading, 1e-12)

    def until(self, shape: Shape, cut: int) -> float:
        """Seconds per text through the layers below a cut."""
        whole = flops(shape, self.tokens)
        share = flops(shape, self.tokens, 0, cut) / whole if whole else cut / max(shape.layers, 1)
        return self.tokenising + max(0.0, self.reading - self.tokenising) * share


@dataclass(frozen=True)
class TrainingPace:
    """How long a training takes.

    Attributes:
        fixed: seconds that do not grow with rows: loading and taking apart.
        row_pass: seconds per row and pass.
        row: seconds per row, besides: outputs on all rows when training is over, what a teacher reads.
        predicting: seconds per text of prediction.
    """

    fixed: float
    row_pass: float
    row: float
    predicting: float

    def seconds(self, rows: int, passes: float) -> float:
        """Training on so many rows, validation rows included."""
        return self.fixed + rows * (passes * self.row_pass + self.row)


def mean_pace(paces: Sequence[TrainingPace]) -> TrainingPace:
    """The mean of several trials."""
    return TrainingPace(*np.mean([astuple(one) for one in paces], axis=0).tolist())


def epochs_of(rows: int, steps: int = STEPS) -> int:
    """Passes over so many training rows that make at least some steps; never fewer than a fit makes.

    >>> epochs_of(640, 200), epochs_of(6400, 200)
    (10, 4)
    """
    return max(FEWEST_EPOCHS, math.ceil(steps / max(1, math.ceil(rows / BATCH))))
