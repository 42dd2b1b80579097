"""The schedule: a budget of time that nothing outlives, what fits into it, and in which order ways are measured."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from embank.planning import Way

Clock = Callable[[], float]
"""Seconds that only grow."""


class OutOfTimeError(Exception):
    """The budget is used up: what is being measured is given up."""


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
        """Seconds that are left; less than 0 where it was overdrawn."""
        return self.seconds - self.spent

    def allows(self, seconds: float) -> bool:
        """Whether something that takes so long may be begun."""
        return seconds <= self.left

    def check(self, *_: Any) -> None:
        """Stop what is running if nothing is left; asked in every step of a training and every batch.

        Raises:
            OutOfTimeError: nothing is left.
        """
        if self.left <= 0:
            raise OutOfTimeError

    def part(self, share: float) -> "Budget":
        """A share of what is left, as a budget of its own that begins now."""
        return Budget(max(0.0, self.left * share), self._clock)


def in_order(ways: Sequence[Way]) -> list[Way]:
    """Trained ways in the order in which they are measured, the most promising first.

    A tail at half of the depth is the usual compromise, and full fine-tuning the yardstick; then the tail with the most
    layers of its own, adapters, the tail with the fewest, limited states, and students, which need the yardstick as
    their teacher. Frozen heads, the cheapest of all, have been measured before.
    """
    cuts = sorted({way.cut for way in ways if way.family == "tail" and way.method == "full"})
    half = cuts[len(cuts) // 2] if cuts else 0

    def rank(way: Way) -> float:
        if way.family != "tail":
            return {"finetune": 1.0, "limited": 5.0}.get(way.family, 6.0)
        if way.method != "full":
            return 3.0
        return 0.0 if way.cut == half else 2.0 if way.cut < half else 4.0

    return sorted(ways, key=rank)
