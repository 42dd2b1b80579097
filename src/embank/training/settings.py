"""What may be said about training a tail, and what training says of itself. Nothing here needs torch."""

from collections.abc import Callable
from dataclasses import dataclass

from embank.errors import UsageError
from embank.models.tail_design import METHODS, Method

_REFERENCE_WIDTH = 384
_RATES: dict[Method, float] = {"full": 2e-4, "adapters": 4e-3, "lora": 2e-3}
"""Learning rates for an encoder 384 wide; wider ones take smaller steps in proportion (bench/log/2026-11.md)."""

_ALONE = 3e-2
"""The rate of an output layer on its own, above which nothing is trained (bench/log/2026-11.md)."""


@dataclass(frozen=True)
class TrainingSettings:
    """How a training loop goes.

    Attributes:
        epochs: most passes over the examples; None: at least 4, and enough for 300 steps.
        batch: examples in a batch.
        rate: the highest learning rate; None: what suits the method and the encoder's width.
        patience: passes without a better validation score before training stops.
        decay: weight decay.
        clip: the longest gradient.
        seed: of the first weights, the order of examples and dropout.
        accumulate: batches whose gradients make one step.
    """

    epochs: int | None = None
    batch: int = 32
    rate: float | None = None
    patience: int = 3
    decay: float = 0.01
    clip: float = 1.0
    seed: int = 0
    accumulate: int = 1

    def __post_init__(self) -> None:
        """Refuse numbers that no training can start with."""
        for name in ("epochs", "batch", "patience", "accumulate"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"found {name} {value}, expected at least 1")
        if self.rate is not None and not 0 < self.rate < 1:
            raise UsageError(f"found a learning rate of {self.rate}, expected a number between 0 and 1, such as 1e-4")


@dataclass(frozen=True)
class TailSettings:
    """What a user may say about a tail.

    Attributes:
        method: "full", "adapters" or "lora".
        cut: the layer whose states it starts from; None: half of the depth, or what short trials say where `trials`.
        training: how it is trained.
        width: bottleneck of adapters.
        rank: of low-rank updates.
        trials: choose the cut by short trials at 25, 50 and 75 % of the depth.
    """

    method: Method = "full"
    cut: int | None = None
    training: TrainingSettings = TrainingSettings()
    width: int = 64
    rank: int = 16
    trials: bool = False

    def __post_init__(self) -> None:
        """Refuse a method that there is not."""
        if self.method not in METHODS:
            raise UsageError(f"{self.method!r} is no way to train a tail; there are: {', '.join(METHODS)}")
        for name in ("width", "rank"):
            if getattr(self, name) < 1:
                raise UsageError(f"found {name} {getattr(self, name)} for a tail, expected at least 1")


@dataclass(frozen=True)
class TrainingProgress:
    """How far training is.

    Attributes:
        step: steps taken.
        steps: all of them, if training is not stopped early.
        epoch: the running pass, from 1.
        epochs: passes at the most.
        loss: mean of the running pass so far.
        score: on validation rows, after the last finished pass.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    score: float | None


TrainingWatch = Callable[[TrainingProgress], None]
"""Told after every step."""


def default_rate(method: Method, width: int, *, alone: bool = False) -> float:
    """The learning rate of a method for an encoder of some width, or of an output layer alone on its states.

    >>> default_rate("full", 768)
    0.0001
    """
    rate = _ALONE if alone else _RATES[method]
    return rate * min(1.0, _REFERENCE_WIDTH / width)
