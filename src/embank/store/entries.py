"""Entries of the catalogue's tables as values; a malformed entry raises ValueError, TypeError or KeyError."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from embank.recipe import Reading, Recipe
from embank.store import Part, Segment, StoredColumn, StoredTask

Row = Mapping[str, Any]
"""A row of a table, by the names of its columns."""


def column_of(row: Row) -> StoredColumn:
    """A row of `columns`."""
    fields = json.loads(row["recipe"])
    recipe = Recipe(**{**fields, "reading": Reading(**fields["reading"]), "steps": tuple(fields["steps"])})
    return StoredColumn(
        number=row["number"],
        name=row["name"],
        recipe=recipe,
        width=int(row["width"]),
        dtype=np.dtype(row["dtype"]).str,
        cells=int(row["cells"]),
        folder=row["folder"],
        calibration=Part(**json.loads(row["calibration"])) if row["calibration"] else None,
    )


def segment_of(row: Row) -> Segment:
    """A row of `segments`, if its numbers are possible."""
    numbers = {name: int(row[name]) for name in ("number", "column", "first", "last", "rows")}
    segment = Segment(**numbers, parts=_parts(row["parts"]))
    expected = {"rows"} if segment.consecutive else {"rows", "texts"}
    names = {part.name for part in segment.parts} - {"offsets"}  # of a column of states
    if not 0 < segment.rows <= segment.last - segment.first + 1 or names != expected:
        raise ValueError(f"segment {segment.number} of {segment.rows} rows for texts {segment.first} to {segment.last}")
    return segment


def task_of(row: Row) -> StoredTask:
    """A row of `tasks`."""
    return StoredTask(row["name"], row["folder"], dict(json.loads(row["record"])), _parts(row["parts"]))


def encoder_of(row: Row) -> tuple[str, tuple[Reading, dict[str, Any]]]:
    """A row of `encoders`: its name, how it reads, facts about it."""
    return row["name"], (Reading(**json.loads(row["reading"])), dict(json.loads(row["facts"])))


def _parts(text: str) -> tuple[Part, ...]:
    return tuple(Part(**part) for part in json.loads(text))
