"""Reading stored rows: which texts are in a column, rows by text number, and scans in blocks."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np

from embank.arrays import Mask, Rows, TextIds
from embank.errors import DamageError, UsageError
from embank.store import Segment, StoredColumn
from embank.store.files import map_array

_Answer = TypeVar("_Answer")


class ColumnReader:
    """The rows of one column as its segments were when the reader was made; it blocks no writer, and none blocks it.

    Where a writer has rewritten segments since, it goes on with those that hold the same texts now.
    """

    def __init__(self, root: Path, column: StoredColumn, listing: Callable[[], Sequence[Segment]]) -> None:
        """Read `column` of the bank at `root`; `listing` asks the catalogue for its segments."""
        self.column = column
        self.root = root
        self._listing = listing
        self._load()

    def _load(self) -> None:
        # In order of their first text. Ranges may interleave: a column added late may meet texts in any order.
        self._segments = sorted(self._listing(), key=lambda segment: segment.first)
        self._rows: dict[int, np.ndarray] = {}
        self._texts: dict[int, TextIds] = {}

    @property
    def n_rows(self) -> int:
        """How many texts have a row here."""
        return sum(segment.rows for segment in self._segments)

    @property
    def n_bytes(self) -> int:
        """Bytes of all files of the column, calibration included."""
        own = self.column.calibration.size if self.column.calibration else 0
        return own + sum(part.size for segment in self._segments for part in segment.parts)

    def covered(self) -> TextIds:
        """The numbers of all texts that have a row, ascending."""
        return np.sort(np.concatenate([np.empty(0, np.int64), *self.current(self._listed)]))

    def has(self, texts: TextIds) -> Mask:
        """Which of these texts have a row."""
        return self.current(lambda: self._has(texts))

    def gather(self, texts: TextIds) -> Rows:
        """The stored rows of these texts, in their order.

        Raises:
            UsageError: the column holds states; a `StatesReader` reads those.
            DamageError: a text has no row here, or a file cannot be read.
        """
        if self.column.is_ragged:
            raise UsageError(f"{self.column.name} holds states, not vectors: name a column of vectors, or fit a tail")
        return self.current(lambda: self._gather(texts))

    def _gather(self, texts: TextIds) -> Rows:
        column = self.column
        out = np.empty((len(texts), column.cells), column.dtype)
        filled = 0
        for segment, inside, places in self.places(texts):
            rows = self.rows_of(segment)
            first = int(places[0])
            if len(inside) == len(texts) and int(places[-1]) - first + 1 == len(places) and _is_run(places):
                return rows[first : first + len(places)]  # one stretch of one file: no copy
            out[inside] = rows[places]
            filled += len(inside)
        if filled != len(texts):
            lost = texts[~self._has(texts)]
            what = f"no row for text {lost[0]}" if len(lost) else "several rows for one text"
            raise DamageError(f"column {column.name} has {what}; run 'embank verify', then encode again")
        return out

    def blocks(self, size: int) -> Iterator[TextIds]:
        """Stretches of at most `size` covered texts, ascending; inside one segment where segments do not interleave."""
        listed = self.current(self._listed)  # all now: a writer may rewrite segments while the scan goes on
        if any(after.first <= before.last for before, after in pairwise(self._segments)):
            listed = [self.covered()]
        for texts in listed:
            for start in range(0, len(texts), size):
                yield np.asarray(texts[start : start + size], np.int64)

    def segments(self) -> list[tuple[Segment, TextIds, Rows]]:
        """Every segment with the numbers of its texts and its mapped rows, in order of the first text.

        What is mapped stays readable when a writer rewrites segments. For columns of vectors.

        Raises:
            DamageError: a file is gone, cut short, or of another shape than the catalogue says.
        """
        # As plain arrays: slices of numpy's memmap cost several times as much.
        return self.current(
            lambda: [(one, self.texts_of(one), np.asarray(self.rows_of(one))) for one in self._segments]
        )

    def rows_of(self, segment: Segment) -> Rows:
        """The mapped rows of a segment; of a ragged column, those of all its texts together.

        Raises:
            DamageError: the file is gone, cut short, or of another shape than the catalogue says.
        """
        if segment.number not in self._rows:
            part = segment.part("rows")
            rows = map_array(self.root / part.file)
            expected = (len(rows) if self.column.is_ragged else segment.rows, self.column.cells)
            if rows.shape != expected or rows.dtype != self.column.dtype:
                found = f"{rows.dtype} {rows.shape}"
                message = (
                    f"{part.file} holds {found}, the catalogue says {self.column.dtype} {expected}: run 'embank verify'"
                )
                raise DamageError(message)
            self._rows[segment.number] = rows
        return self._rows[segment.number]

    def texts_of(self, segment: Segment) -> TextIds:
        """The text numbers of a segment's rows, ascending."""
        if segment.consecutive:
            return np.arange(segment.first, segment.last + 1, dtype=np.int64)
        if segment.number not in self._texts:
            offsets = map_array(self.root / segment.part("texts").file)
            if offsets.shape != (segment.rows,):
                raise DamageError(f"{segment.part('texts').file} lists {offsets.shape} texts, not {segment.rows}")
            self._texts[segment.number] = offsets.astype(np.int64) + segment.first
        return self._texts[segment.number]

    def current(self, ask: Callable[[], _Answer]) -> _Answer:
        """Answer from the segments; from those that the catalogue has now, where a file has gone since."""
        try:
            return ask()
        except FileNotFoundError:
            self._load()
        try:
            return ask()
        except FileNotFoundError as gone:
            message = f"a file of column {self.column.name} is gone ({gone.filename}): run 'embank verify'"
            raise DamageError(message) from gone

    def _listed(self) -> list[TextIds | range]:
        """The texts of each segment; a range if they are consecutive, which costs nothing."""
        return [
            range(segment.first, segment.last + 1) if segment.consecutive else self.texts_of(segment)
            for segment in self._segments
        ]

    def _has(self, texts: TextIds) -> Mask:
        found = np.zeros(len(texts), np.bool_)
        for _, inside, _ in self.places(texts):
            found[inside] = True
        return found

    def places(self, texts: TextIds) -> Iterator[tuple[Segment, TextIds, TextIds]]:
        """Where the texts are: segment, offsets into `texts`, rows in the segment."""
        if not len(texts):
            return
        lowest, highest = int(texts.min()), int(texts.max())
        for segment in self._segments:
            if segment.last < lowest or segment.first > highest:
                continue
            inside = np.flatnonzero((texts >= segment.first) & (texts <= segment.last))
            if not len(inside):
                continue
            if segment.consecutive:
                yield segment, inside, texts[inside] - segment.first
                continue
            own = self.texts_of(segment)
            places = np.minimum(np.searchsorted(own, texts[inside]), len(own) - 1)
            known = own[places] == texts[inside]
            if known.any():
                yield segment, inside[known], places[known]


def _is_run(places: TextIds) -> bool:
    return bool((np.diff(places) == 1).all())
