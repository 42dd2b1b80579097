"""What a table is to Embank: named columns, read in blocks of consecutive rows and written block after block."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa

#: What a writer takes as one column of a block: an Arrow array, a numpy array of one axis, or a list.
Values: TypeAlias = pa.Array | pa.ChunkedArray | np.ndarray[Any, Any] | Sequence[Any]


@dataclass(frozen=True)
class Block:
    """A stretch of consecutive rows of one source.

    A row that cannot be read is never dropped: it has None in every column, and a fault that says why.

    Attributes:
        source: The file as the user named it, "-" for standard input, "folder/file" for a file of a named folder.
        start: The position of the first row in its source, counted from 0; headers and blank lines are not rows.
        columns: Only the columns that were asked for; Python values (str, int, float, bool, None, list).
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
    """One source that can be read: what every format brings."""

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
