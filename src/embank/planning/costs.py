"""The model of cost: from what trials took on some rows to what a way takes on all of them.

Reading. The encoder's speed is measured in tokens a second over all layers, tokenising apart. A pass that stops at a
lower layer takes the same share of the rest as it has of the operations:

    seconds(text, cut) = tokenising + (whole pass - tokenising) * flops(0..cut) / flops(0..L)

Training. A trial says how long a row took in a pass (its share of validation included), and how many passes there were
before it stopped:

    seconds(rows) = fixed + passes * rows * (row and pass) + rows * (reading a row)

Heads. A fit has a part that does not grow with rows (the penalty path over dimensions) and one that does; two trials of
different size tell them apart.

Prediction. seconds(tasks, texts) is linear in both (`Cost.total`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from embank.encoders.flops import Shape, flops

BATCH = 32
"""Rows of a training step."""

FEWEST_EPOCHS = 4
"""A fit makes at least so many passes where it is not stopped early."""


@dataclass(frozen=True)
class Pace:
    """How fast the encoder reads on this machine.

    Attributes:
        opening: seconds until it is ready, kernels compiled.
        tokenising: seconds a text.
        reading: seconds a text through all layers, tokenising included.
        tokens: of a text, in the mean.
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
        """Seconds a text through the layers below a cut."""
        whole = flops(shape, self.tokens)
        share = flops(shape, self.tokens, 0, cut) / whole if whole else cut / max(shape.layers, 1)
        return self.tokenising + max(0.0, self.reading - self.tokenising) * share


@dataclass(frozen=True)
class TrainingPace:
    """How long a training took.

    Attributes:
        fixed: seconds that do not grow with rows: loading and taking apart.
        row_pass: seconds a row and pass.
        row: seconds a row, besides: outputs on all rows when training is over, what a teacher says.
        passes: that were made.
        predicting: seconds a text of prediction.
    """

    fixed: float
    row_pass: float
    row: float
    passes: float
    predicting: float

    def seconds(self, rows: int) -> float:
        """Training on so many rows, validation rows included."""
        return self.fixed + rows * (self.passes * self.row_pass + self.row)


def mean_pace(paces: Sequence[TrainingPace]) -> TrainingPace:
    """The mean of several trials."""
    count = len(paces)
    names = ("fixed", "row_pass", "row", "passes", "predicting")
    return TrainingPace(*(sum(getattr(one, name) for one in paces) / count for name in names))


def extrapolated(trials: Sequence[tuple[int, float]], rows: int) -> float:
    """Seconds of a fit on so many rows, from trials on fewer.

    A straight line through the mean of the smallest trials and that of the largest, no steeper than in proportion to
    rows; where there is one size only, or the larger one took no longer, in proportion, and no less than was measured.

    >>> extrapolated([(100, 1.0), (300, 2.0)], 500), extrapolated([(100, 1.0)], 200), extrapolated([(100, 1.0)], 100)
    (3.0, 2.0, 1.0)

    Args:
        trials: rows and seconds of each.
        rows: how many there will be.
    """
    sizes = sorted({size for size, _ in trials})
    means = {size: _mean([seconds for own, seconds in trials if own == size]) for size in sizes}
    largest = sizes[-1]
    proportional = means[largest] / largest
    slope = (means[largest] - means[sizes[0]]) / (largest - sizes[0]) if len(sizes) > 1 else proportional
    if not 0 < slope <= proportional:  # a machine with other work: what differs is not the rows
        slope = proportional
    return means[largest] + slope * max(0, rows - largest)


def epochs_of(rows: int, steps: int) -> int:
    """Passes over so many training rows that make at least some steps; never fewer than a fit makes.

    >>> epochs_of(640, 200), epochs_of(6400, 200)
    (10, 4)
    """
    return max(FEWEST_EPOCHS, math.ceil(steps / max(1, math.ceil(rows / BATCH))))


def steps_of(seconds: float, step: float, bounds: tuple[int, int] = (200, 300)) -> int:
    """How many steps each training gets, so that all of them fit into some seconds.

    No fewer than the least: a training that is cut short says nothing of what it would have reached, so where time is
    short, ways are left out instead.

    >>> steps_of(1000, 2.0), steps_of(500, 2.0), steps_of(100, 2.0)
    (300, 250, 200)

    Args:
        seconds: that there are.
        step: seconds of one step of all trainings together.
        bounds: fewest and most steps.
    """
    fewest, most = bounds
    return most if step <= 0 else min(most, max(fewest, math.floor(seconds / step + 1e-9)))


def passes_of(tried: float, epochs: tuple[int, int]) -> float:
    """Passes that a training on all rows will make.

    >>> passes_of(6, (10, 10)), passes_of(10, (10, 4)), passes_of(5, (10, 4))
    (6.0, 4.0, 4.0)

    Args:
        tried: passes that the trial made before it stopped.
        epochs: that the trial was given, and that the training on all rows is given. Where they differ, the share of
            them that was made is taken; stopping early takes a few passes in any case.
    """
    given, most = epochs
    share = tried / max(given, 1)
    return float(min(most, max(share * most, min(tried, FEWEST_EPOCHS))))


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)
