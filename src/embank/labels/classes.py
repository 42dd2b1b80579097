"""Labels that stand for a whole text, as users write them: classes, several labels, numbers.

Classes are known by name, as strings, also where a file has them as numbers.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, SupportsFloat

from embank.arrays import Cell
from embank.errors import HeadError
from embank.labels import is_missing, json_list
from embank.labels.kinds import Kind

MOST_NUMBER_CLASSES = 20
"""Whole numbers with more distinct values than this are read as a regression, unless the kind is given."""

_SEPARATOR = "|"


def read_classes(values: Sequence[Any], kind: Kind) -> tuple[Any, ...]:
    """Read labels of a kind that reads one vector per text.

    Args:
        values: one per row, as the user wrote them.
        kind: "single", "multi" or "regression".

    Returns:
        One per row: a class name, a sorted tuple of label names, or a float; None for rows without a label.

    Raises:
        HeadError: no row has a label, or a label does not fit the kind.
    """
    read = {"single": _single, "multi": _multi, "regression": _number}[kind]
    parsed = tuple(read(value) for value in values)
    if all(value is None for value in parsed):
        raise HeadError(f"none of the {len(parsed)} rows has a label: is it the right column?")
    return parsed


def guess_kind(values: Sequence[Any]) -> Kind:
    """Choose between "single", "multi" and "regression" by how the labels of a column are written."""
    given = [value for value in values if not is_missing(value)]
    if any(isinstance(value, list | tuple) for value in given):
        return "multi"
    strings = [value for value in given if isinstance(value, str) and value.strip()]
    if strings and all(json_list(value) is not None for value in strings):
        return "multi"
    numbers = [_as_number(value) for value in given if value != ""]
    if numbers and all(number is not None for number in numbers):
        distinct = {number for number in numbers if number is not None}
        whole = all(number.is_integer() for number in distinct)
        return "single" if whole and len(distinct) <= MOST_NUMBER_CLASSES else "regression"
    if any(_SEPARATOR in value for value in strings):
        parts = Counter(part.strip() for value in strings for part in value.split(_SEPARATOR))
        # A separator inside ordinary class names would make many parts that occur once.
        if sum(count > 1 for count in parts.values()) * 2 >= len(parts):
            return "multi"
    return "single"


def _single(value: Cell) -> str | None:
    if is_missing(value) or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple | dict):
        raise HeadError(f"{value!r} is no single label; give --kind multi for lists of labels")
    return str(value).strip()


def _multi(value: Cell) -> tuple[str, ...] | None:
    if is_missing(value):
        return None
    if isinstance(value, str):
        listed = json_list(value)
        value = listed if listed is not None else value.split(_SEPARATOR)
    elif not isinstance(value, list | tuple):
        value = [value]
    names = [name for name in (_single(part) for part in value) if name is not None]
    return tuple(sorted(set(names)))


def _number(value: Cell) -> float | None:
    if is_missing(value) or (isinstance(value, str) and not value.strip()):
        return None
    number = _as_number(value)
    if number is None or not math.isfinite(number):
        if number is not None and math.isnan(number):
            return None
        raise HeadError(f"{value!r} is no number; give --kind single if these are classes")
    return number


def _as_number(value: Cell) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(value) if isinstance(value, str | SupportsFloat) else None
    except (TypeError, ValueError):
        return None
