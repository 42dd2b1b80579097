"""Rewriting segments: without the texts that were forgotten, and small ones into one."""

from collections.abc import Sequence

import numpy as np

from embank.arrays import TextIds
from embank.store import Segment, StoredColumn
from embank.store.segments import ColumnReader
from embank.store.states import stored
from embank.store.writing import Writer

SMALL = 1 << 20
"""Bytes below which a segment is small."""

MANY = 8
"""A column with more small segments than this has them merged."""


def forget_texts(writer: Writer, readers: Sequence[ColumnReader], texts: TextIds) -> None:
    """Remove texts with their rows, ids and bodies, and give the space back.

    Every segment that holds one of them is rewritten, segment by segment, then all changes are committed at once, so
    that a kill leaves the texts either there or gone, in all columns alike.
    """
    old: list[Segment] = []
    new: list[Segment] = []
    number = writer.catalogue.next_segment()
    for reader in readers:
        for segment in writer.catalogue.segments(reader.column.number):
            own = reader.texts_of(segment)
            kept = ~np.isin(own, texts)
            if kept.all():
                continue
            old.append(segment)
            if kept.any():
                rows = stored(reader, own[kept])
                new.append(writer.write_segment(number + len(new), reader.column, own[kept], rows))
    writer.replace_segments(old, new, [int(text) for text in texts])
    writer.catalogue.vacuum()


def merge_small(writer: Writer, reader: ColumnReader) -> None:
    """Merge the small segments of a column if it has many: each `predict` with a few new texts leaves one."""
    column: StoredColumn = reader.column
    small = [part for part in writer.catalogue.segments(column.number) if part.part("rows").size < SMALL]
    if len(small) <= MANY:
        return
    texts = np.sort(np.concatenate([reader.texts_of(segment) for segment in small]))
    merged = writer.write_segment(writer.catalogue.next_segment(), column, texts, stored(reader, texts))
    writer.replace_segments(small, [merged])
