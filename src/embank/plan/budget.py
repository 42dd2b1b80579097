"""A budget of time that no measurement outlives."""

import time
from collections.abc import Callable

from embank.training.settings import TrainingProgress

Clock = Callable[[], float]
"""Seconds that only grow."""


class OutOfTimeError(Exception):
    """The budget is used up: the running measurement is given up."""


class Budget:
    """Seconds that may be spent; a part of them may be set apart.

    >>> seconds = iter([0.0, 4.0, 4.0])
    >>> budget = Budget(10.0, lambda: next(seconds))
    >>> budget.left, budget.allows(7.0)
    (6.0, False)
    """

    def __init__(self, seconds: float, clock: Clock = time.monotonic) -> None:
        """Begin now."""
        self.seconds, self._clock = seconds, clock
        self._began = clock()

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._began

    @property
    def left(self) -> float:
        """Seconds that are left; less than 0 if it was overdrawn."""
        return self.seconds - self.spent

    def allows(self, seconds: float) -> bool:
        """Whether something that takes so long may be begun."""
        return seconds <= self.left

    def check(self, _: TrainingProgress | None = None) -> None:
        """Stop a measurement when no time is left; called in every training step and every batch.

        Raises:
            OutOfTimeError: nothing is left.
        """
        if self.left <= 0:
            raise OutOfTimeError

    def part(self, share: float) -> "Budget":
        """A share of the remaining seconds, as a separate budget that begins now."""
        return Budget(max(0.0, self.left * share), self._clock)
