"""A table: named columns, read in blocks of consecutive rows and written block after block."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from embank.errors import InputError

#: What a writer takes as one column of a block: an Arrow array, a numpy array of one axis, or a list.
Values: TypeAlias = pa.Array | pa.ChunkedArray | np.ndarray[Any, Any] | Sequence[Any]


@dataclass(frozen=True)
class Block:
    """A stretch of consecutive rows of one source.

    A row that cannot be read is never dropped: it has None in every column, and a fault that says why.

    Attributes:
        source: The file as the user named it, "-" for standard input, "folder/file" for a file of a named folder.
        start: The position of the first row in its source, counted from 0; headers and blank lines are not rows.
        columns: Only the columns that were requested; Python values (str, int, float, bool, None, list).
        faults: Offset within the block -> why the row could not be read.
    """

    source: str
    start: int
    columns: dict[str, list[Any]]
    faults: dict[int, str]

    def __len__(self) -> int:
        """Count the rows."""
        return next((len(values) for values in self.columns.values()), 0)


class Table(Protocol):
    """One source that can be read: the contract of every format."""

    @property
    def name(self) -> str:
        """The source as messages and blocks call it."""

    def require(self, columns: Sequence[str]) -> None:
        """Look whether the source opens and has the columns, reading no more of it than that takes.

        Raises:
            InputError: it does not open, is empty, or lacks a column.
        """

    def blocks(self, columns: Sequence[str], block_rows: int) -> Iterator[Block]:
        """Yield the rows in order, `block_rows` at a time; fewer where rows are very long, and at the end."""


class Sink(Protocol):
    """One format that can be written to an open binary file, block after block."""

    def write(self, columns: Mapping[str, Values]) -> None:
        """Add one block of rows."""

    def close(self) -> None:
        """Write what the format needs at its end; the file itself stays open."""

    def abandon(self) -> None:
        """Let go of everything without caring for the bytes: the file will be removed."""


_SHOWN = 30


def require_columns(source: str, wanted: Sequence[str], present: Iterable[str]) -> None:
    """Check that a source has all wanted columns.

    Raises:
        InputError: one is missing; the message lists the known ones, with a close match.
    """
    known = list(present)
    absent = [name for name in wanted if name not in known]
    if not absent:
        return
    missing = ", ".join(repr(name) + _hint(name, known) for name in absent)
    listed = ", ".join(known[:_SHOWN]) + (f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else "")
    noun = "column" if len(absent) == 1 else "columns"
    raise InputError(f"{source} has no {noun} {missing}; its columns are: {listed or '(none)'}")


def _hint(name: str, known: Sequence[str]) -> str:
    folded = {present.strip().casefold(): present for present in known}
    close = get_close_matches(name.strip().casefold(), list(folded), n=1)
    return f" (did you mean {folded[close[0]]!r}?)" if close else ""
