"""A column measured on graded pairs of texts: how well cosines follow the grades (semantic textual similarity)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embank.errors import UsageError
from embank.linalg.cosine import cosines
from embank.metrics.ranking import spearman
from embank.session import Session
from embank.texts import keys_and_faults


@dataclass(frozen=True)
class StsReport:
    """How well cosines of pairs follow the grades that people gave.

    Attributes:
        column: whose vectors.
        pairs: that were measured.
        left_out: pairs without a grade, or with a text that cannot be encoded.
        spearman: rank correlation of cosine and grade, from -1 to 1.
    """

    column: str
    pairs: int
    left_out: int
    spearman: float


def evaluate_sts(
    session: Session, column: str, pairs: Sequence[tuple[str, str]], grades: Sequence[float | str | None]
) -> StsReport:
    """Measure a column on graded pairs; texts that the bank lacks are encoded and banked, and read as stored.

    Args:
        session: of the bank.
        column: its name.
        pairs: two texts each.
        grades: numbers, higher for more alike; None for a pair without a grade.

    Raises:
        UsageError: unequal numbers, a grade that is no number, or fewer than two pairs that can be measured.
    """
    if len(pairs) != len(grades):
        raise UsageError(f"found {len(grades)} grades for {len(pairs)} pairs, expected one each")
    bad = (
        keys_and_faults([one for one, _ in pairs])[1].keys() | keys_and_faults([other for _, other in pairs])[1].keys()
    )
    numbers = [_number(grade, f"the grade of pair {at}") for at, grade in enumerate(grades)]
    sound = [at for at, number in enumerate(numbers) if at not in bad and number is not None]
    if len(sound) < 2:  # noqa: PLR2004 - one pair has no order
        raise UsageError(f"found {len(sound)} pairs with two texts and a grade; a correlation takes two at least")
    left = session.vectors([column], [pairs[at][0] for at in sound])
    right = session.vectors([column], [pairs[at][1] for at in sound])
    known = np.array([numbers[at] for at in sound], np.float64)
    return StsReport(column, len(sound), len(pairs) - len(sound), spearman(cosines(left, right), known))


def _number(value: float | str | None, what: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not np.isfinite(number):
        raise UsageError(f"{what} is {value!r}, which is no number")
    return number
