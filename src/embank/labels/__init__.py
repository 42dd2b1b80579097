"""What users predict: kinds of tasks, and labels read from classes, tags and answers."""

import json
import math
from typing import Any

from embank.arrays import Cell


def is_missing(value: Cell) -> bool:
    """Whether a value is null or NaN: the row has no label.

    >>> is_missing(None), is_missing(float("nan")), is_missing("")
    (True, True, False)
    """
    return value is None or (isinstance(value, float) and math.isnan(value))


def json_list(value: str) -> list[Any] | None:
    """The list that a string of JSON holds, or None if it is anything else."""
    if not value.lstrip().startswith("["):
        return None
    try:
        found: list[Any] = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found
