"""Ragged columns: the states of a text as a block of rows of its own length, without padding.

A segment of such a column has one more file, `offsets`: where each text's block begins in `rows`, and where the last
one ends.
"""

import numpy as np
from jaxtyping import Int64

from embank.arrays import Ragged, Rows, TextIds
from embank.errors import DamageError
from embank.store import Segment
from embank.store.files import map_array
from embank.store.segments import ColumnReader


class StatesReader:
    """Reads blocks of a ragged column; segments stay mapped, so that only the blocks of these texts are read."""

    def __init__(self, column: ColumnReader) -> None:
        """Read blocks of `column`, whose recipe takes states."""
        self.column = column
        self._offsets: dict[int, Int64[np.ndarray, " _"]] = {}

    def gather(self, texts: TextIds) -> Ragged:
        """Stored blocks of these texts, in their order.

        Raises:
            DamageError: a text has no block here, or a file cannot be read.
        """
        return self.column.current(lambda: self._gather(texts))

    def lengths(self, texts: TextIds) -> Int64[np.ndarray, " texts"]:
        """How many tokens each of these texts has.

        Raises:
            DamageError: a text has no block here, or a file cannot be read.
        """
        return self.column.current(lambda: self._lengths(texts))

    def offsets_of(self, segment: Segment) -> Int64[np.ndarray, " _"]:
        """Where the blocks of a segment begin, and where the last one ends: one number more than texts.

        Raises:
            DamageError: the file does not fit the segment's rows.
        """
        if segment.number not in self._offsets:
            part = segment.part("offsets")
            offsets = np.asarray(map_array(self.column.root / part.file), np.int64)
            tokens = len(self.column.rows_of(segment))
            fits = offsets.shape == (segment.rows + 1,) and offsets[0] == 0 and offsets[-1] == tokens
            if not fits or (np.diff(offsets) < 0).any():
                raise DamageError(
                    f"{part.file} does not divide {tokens} rows among {segment.rows} texts: run 'embank verify'"
                )
            self._offsets[segment.number] = offsets
        return self._offsets[segment.number]

    def _lengths(self, texts: TextIds) -> Int64[np.ndarray, " texts"]:
        found = np.full(len(texts), -1, np.int64)
        for segment, inside, places in self.column.places(texts):
            offsets = self.offsets_of(segment)
            found[inside] = offsets[places + 1] - offsets[places]
        if len(texts) and found.min() < 0:
            raise DamageError(f"column {self.column.column.name} has no states of text {texts[found.argmin()]}")
        return found

    def _gather(self, texts: TextIds) -> Ragged:
        lengths = self._lengths(texts)
        ends = np.cumsum(lengths)
        column = self.column.column
        rows = np.empty((int(ends[-1]) if len(ends) else 0, column.cells), column.dtype)
        for segment, inside, places in self.column.places(texts):
            offsets, stored = self.offsets_of(segment), self.column.rows_of(segment)
            # Block by block: each lies in one stretch of the file, which is read in one go.
            for at, place in zip(inside.tolist(), places.tolist(), strict=True):
                rows[ends[at] - lengths[at] : ends[at]] = stored[offsets[place] : offsets[place + 1]]
        return Ragged(rows, lengths)


def stored(column: ColumnReader, texts: TextIds) -> Rows | Ragged:
    """What a column of either kind holds of these texts, as a segment takes it."""
    return StatesReader(column).gather(texts) if column.column.is_ragged else column.gather(texts)
