"""Tasks: what is to be predicted, and how users write labels down.

A label column is read as one of three kinds: `single` (one class of several), `multi` (any number of labels), or
`regression` (a number). Classes are known by name, as strings, also where a file has them as numbers.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from embank.errors import HeadError, UsageError

Kind = Literal["single", "multi", "regression"]
"""One label of several, any number of labels, or a number."""

KINDS: tuple[Kind, ...] = ("single", "multi", "regression")

TOGETHER = "together"
"""The task reads each row of the bank as it is: a text, or a pair that was encoded as one."""

APART = "apart"
"""The task reads two banked texts u and v, as [u, v, |u - v|, u * v]."""

MOST_NUMBER_CLASSES = 20
"""Whole numbers with more distinct values than this are read as a regression, unless the kind is given."""

_SEPARATOR = "|"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Labels:
    """A column of labels, understood.

    Attributes:
        kind: how it was read.
        values: one a row: a class name, a tuple of label names, or a float; None where there is no label.
        missing: how many rows have none.
    """

    kind: Kind
    values: tuple[Any, ...]
    missing: int

    @property
    def names(self) -> tuple[str, ...]:
        """The classes or labels, sorted; empty for a regression."""
        if self.kind == "regression":
            return ()
        if self.kind == "single":
            return tuple(sorted({value for value in self.values if value is not None}))
        return tuple(sorted({name for value in self.values if value is not None for name in value}))


def read_labels(values: Sequence[Any], kind: str = "auto") -> Labels:
    """Understand a column of labels.

    Lists, JSON lists, and strings with `|` between labels are several labels. In such a column an empty list or string
    means "none of them"; in every other column null, NaN and the empty string mean "not labelled".

    >>> read_labels(["spam", "ham", None]).values
    ('spam', 'ham', None)
    >>> read_labels(["a|b", "a", ""]).values
    (('a', 'b'), ('a',), ())
    >>> read_labels([0.5, 3, "7.25"]).kind
    'regression'

    Raises:
        UsageError: an unknown kind.
        HeadError: no row has a label, or a label does not fit the kind.
    """
    if kind not in ("auto", *KINDS):
        raise UsageError(f"{kind!r} is no kind of task; there are: auto, {', '.join(KINDS)}")
    chosen = _guess(values) if kind == "auto" else next(known for known in KINDS if known == kind)
    read = {"single": _single, "multi": _multi, "regression": _number}[chosen]
    parsed = tuple(read(value) for value in values)
    missing = sum(value is None for value in parsed)
    if missing == len(parsed):
        raise HeadError(f"none of the {len(parsed)} rows has a label: is it the right column?")
    return Labels(chosen, parsed, missing)


def _guess(values: Sequence[Any]) -> Kind:
    given = [value for value in values if not _absent(value)]
    if any(isinstance(value, list | tuple) for value in given):
        return "multi"
    strings = [value for value in given if isinstance(value, str) and value.strip()]
    if strings and all(_json_list(value) is not None for value in strings):
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


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _single(value: Any) -> str | None:
    if _absent(value) or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple | dict):
        raise HeadError(f"{value!r} is no single label; give --kind multi for lists of labels")
    return str(value).strip()


def _multi(value: Any) -> tuple[str, ...] | None:
    if _absent(value):
        return None
    if isinstance(value, str):
        listed = _json_list(value)
        value = listed if listed is not None else value.split(_SEPARATOR)
    elif not isinstance(value, list | tuple):
        value = [value]
    names = [name for name in (_single(part) for part in value) if name is not None]
    return tuple(sorted(set(names)))


def _number(value: Any) -> float | None:
    if _absent(value) or (isinstance(value, str) and not value.strip()):
        return None
    number = _as_number(value)
    if number is None or not math.isfinite(number):
        if number is not None and math.isnan(number):
            return None
        raise HeadError(f"{value!r} is no number; give --kind single if these are classes")
    return number


def _as_number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _json_list(value: str) -> list[Any] | None:
    if not value.lstrip().startswith("["):
        return None
    try:
        found = json.loads(value)
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def check_task_name(name: str) -> None:
    """Refuse a name that no folder can have, or that a column of predictions has already.

    Raises:
        UsageError: the message says which.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a task: use letters, digits, dot, dash and underscore")
    if name == "id" or name.endswith("_score") or "_proba_" in name:
        raise UsageError(f"a task cannot be called {name!r}: predictions have a column of that kind already")
