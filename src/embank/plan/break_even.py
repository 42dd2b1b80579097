"""Break-even: the number of tasks, and of texts, at which the cheapest way changes.

A cost is a straight line in the number of tasks while texts stay, and in the number of texts while tasks stay
(`Cost.total`), so two ways trade places once at most, and the cheapest of several follows from all such places.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from embank.plan import Balance, Change, Cost

MOST = 10**12
"""What lies beyond so many tasks or texts is never."""


@dataclass(frozen=True)
class Line:
    """A cost that grows in a straight line."""

    start: float
    slope: float

    def at(self, number: float) -> float:
        """Its value."""
        return self.start + number * self.slope


def by_tasks(cost: Cost, texts: float) -> Line:
    """A cost as a line in the number of tasks."""
    return Line(cost.once + texts * cost.text, cost.task + texts * cost.task_text)


def by_texts(cost: Cost, tasks: float) -> Line:
    """A cost as a line in the number of texts."""
    return Line(cost.once + tasks * cost.task, cost.text + tasks * cost.task_text)


def passes(late: Line, early: Line) -> int | None:
    """The first whole number (1 or more) from which one line is below another; None if it never is.

    >>> passes(Line(100, 1), Line(0, 15)), passes(Line(0, 1), Line(5, 1)), passes(Line(5, 2), Line(0, 1))
    (8, 1, None)
    """
    if late.slope >= early.slope:
        # Lines that run side by side: the lower one is below from the first on.
        return 1 if late.slope == early.slope and late.start < early.start else None
    place = (late.start - early.start) / (early.slope - late.slope)
    if place >= MOST:
        return None
    return max(1, math.floor(place) + 1) if place > 0 else 1


def cheapest(lines: Mapping[str, Line], most: int = MOST) -> tuple[Change, ...]:
    """Which of several lines is the lowest, from 1 on, and where that changes.

    >>> cheapest({"encoder": Line(100, 1), "student": Line(0, 15)})
    (Change(at=1, way='student'), Change(at=8, way='encoder'))
    """
    if not lines:
        return ()
    places = {1}
    for one, other in combinations(lines.values(), 2):
        places |= {number for pair in ((one, other), (other, one)) if (number := passes(*pair)) is not None}
    changes: list[Change] = []
    for number in sorted(places):
        if number > most:
            break
        way = _lowest(lines, number)
        if not changes or changes[-1].way != way:
            changes.append(Change(number, way))
    return tuple(changes)


def _lowest(lines: Mapping[str, Line], number: int) -> str:
    """The lowest line at a number; of equal ones that which rises least."""
    return min(lines, key=lambda way: (lines[way].at(number), lines[way].slope))


def balance(bank: str, costs: Mapping[str, Cost], tasks: int, texts: int) -> Balance:
    """Where ways break even.

    Args:
        bank: "empty" or "filled".
        costs: by the way's name.
        tasks: how many, while texts change.
        texts: how many, while tasks change.
    """
    counted = {way: cost.filled() if bank == "filled" else cost for way, cost in costs.items()}
    return Balance(
        bank=bank,
        by_tasks=cheapest({way: by_tasks(cost, texts) for way, cost in counted.items()}),
        by_texts=cheapest({way: by_texts(cost, tasks) for way, cost in counted.items()}),
    )
