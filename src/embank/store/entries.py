"""Entries of the catalogue's tables as values; a malformed entry raises ValueError, TypeError or KeyError."""

import json
from typing import Any

import numpy as np

from embank.recipe import Reading, Recipe
from embank.store import Part, Segment, StoredColumn, StoredTask


def column_of(  # noqa: PLR0913, PLR0917 - a row of the table
    number: int, name: str, recipe: str, width: int, dtype: str, cells: int, folder: str, calibration: str | None
) -> StoredColumn:
    """A row of `columns`."""
    part = Part(**json.loads(calibration)) if calibration else None
    return StoredColumn(
        number=number,
        name=name,
        recipe=_recipe(recipe),
        width=int(width),
        dtype=np.dtype(dtype).str,
        cells=int(cells),
        folder=folder,
        calibration=part,
    )


def segment_of(number: int, column: int, first: int, last: int, rows: int, parts: str) -> Segment:
    """A row of `segments`, where its numbers can be."""
    segment = Segment(
        number=number, column=column, first=int(first), last=int(last), rows=int(rows), parts=_parts(parts)
    )
    expected = {"rows"} if segment.consecutive else {"rows", "texts"}
    names = {part.name for part in segment.parts} - {"offsets"}  # of a column of states
    if not 0 < segment.rows <= last - first + 1 or names != expected:
        raise ValueError(f"segment {number} of {rows} rows for texts {first} to {last}")
    return segment


def task_of(name: str, folder: str, record: str, parts: str) -> StoredTask:
    """A row of `tasks`."""
    return StoredTask(name, folder, dict(json.loads(record)), _parts(parts))


def encoder_of(name: str, reading: str, facts: str) -> tuple[str, tuple[Reading, dict[str, Any]]]:
    """A row of `encoders`: its name, how it reads, facts about it."""
    return name, (Reading(**json.loads(reading)), dict(json.loads(facts)))


def _recipe(text: str) -> Recipe:
    fields = json.loads(text)
    return Recipe(**{**fields, "reading": Reading(**fields["reading"]), "steps": tuple(fields["steps"])})


def _parts(text: str) -> tuple[Part, ...]:
    return tuple(Part(**part) for part in json.loads(text))
