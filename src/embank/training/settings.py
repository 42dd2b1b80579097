"""Settings of a training, and its progress. Nothing here needs torch."""

from collections.abc import Callable
from dataclasses import dataclass

from embank.errors import UsageError


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
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

    @property
    def done(self) -> int:
        """Steps taken."""
        return self.step

    @property
    def total(self) -> int | None:
        """All steps, if training is not stopped early."""
        return self.steps

    @property
    def state(self) -> str:
        """Pass, loss and validation score."""
        score = "-" if self.score is None else f"{self.score:.3f}"
        return f"steps, pass {self.epoch}, loss {self.loss:.3f}, validation {score}"


TrainingWatch = Callable[[TrainingProgress], None]
"""Progress callback, called after every step."""
