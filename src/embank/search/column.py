"""Vectors of a column to compare: in blocks for a scan, or by text number; none depends on those read with it."""

from collections.abc import Iterator
from functools import cached_property
from typing import Final

import numpy as np

from embank.arrays import TextIds, Vectors
from embank.codecs import Codec, codec_class
from embank.errors import UsageError
from embank.index import RowBlock
from embank.recipe import ColumnName
from embank.session import Session
from embank.store import StoredColumn
from embank.store.folder import Store
from embank.store.norms import ColumnLengths
from embank.store.segments import ColumnReader
from embank.store.vectors import codec_of, decoded

BLOCK: Final = 16384
"""Texts whose vectors are decoded at a time."""

SCANNED: Final = 65536
"""Texts at a time of a scan that decodes none: the fewer blocks, the less there is around each."""

_WIDER: Final = ("own", "mean", "last", "first", "max")
"""Poolings in the order in which they are taken for a column that is to be searched."""

_ENOUGH: Final = 8
"""Bits per number that order again what a binary column finds as well as float32 does; fewer are the last choice."""


class SearchedColumn:
    """The vectors of one column, all of them or those of some texts only."""

    def __init__(self, store: Store, name: str, allowed: TextIds | None = None, block: int = SCANNED) -> None:
        """Read column `name`, of the texts `allowed` (ascending; None: all); a scan takes `block` texts at a time.

        Raises:
            UsageError: unknown column, or one of states.
        """
        self.stored: StoredColumn = store.column(str(ColumnName.parse(name)))
        if self.stored.is_ragged:
            raise UsageError(f"{self.stored.name} holds states, which have no one vector a text: name another column")
        self.reader: ColumnReader = store.reader(self.stored.name)
        self.codec: Codec = codec_of(store, self.stored)
        self._allowed, self._block = allowed, block

    def decoded(self) -> Iterator[tuple[TextIds, Vectors]]:
        """All texts, ascending, and their vectors."""
        for texts in self.reader.blocks(min(self._block, BLOCK)):
            chosen = texts if self._allowed is None else texts[np.isin(texts, self._allowed, assume_unique=True)]
            if len(chosen):
                yield chosen, decoded(self.reader, self.codec, chosen)

    def blocks(self) -> Iterator[RowBlock]:
        """All texts, with their stored rows and the lengths of their vectors, as they were at the first call."""
        for whole in self._segments:
            for part in whole.parts(self._block):
                block = part
                if self._allowed is not None:
                    chosen = np.isin(block.texts, self._allowed, assume_unique=True)
                    block = RowBlock(block.texts[chosen], block.rows[chosen], block.lengths[chosen])
                if len(block.texts):
                    yield block

    @cached_property
    def _segments(self) -> list[RowBlock]:
        """Each segment as one block, mapped."""
        known = ColumnLengths(self.reader, self.codec)
        return [RowBlock(texts, rows, known.of(one, rows)) for one, texts, rows in self.reader.segments()]

    def vectors(self, texts: TextIds) -> Vectors:
        """Vectors of some texts, in their order; a text's numbers do not depend on the others.

        Raises:
            DamageError: a text has no row.
        """
        return decoded(self.reader, self.codec, texts)


def full_name(session: Session, column: str | None) -> str:
    """The full name of a column, with its codec and with `own` written out; of None, that of the one a search takes.

    Raises:
        UsageError: `column` is no column's name, or there is none to choose.
    """
    return session.full_names([column])[0] if column else choose_column(session.store)


def choose_column(store: Store) -> str:
    """The column that is searched where none is named.

    Of the columns of vectors, those with the most texts; of these an encoder's before vectors that were made elsewhere,
    since these have none for new queries; then the highest layer; then `own` before mean, last,
    first and max; then the widest; then the finest codec.

    Raises:
        UsageError: the bank has no column of vectors.
    """
    columns = [column for column in store.catalogue.columns().values() if not column.is_ragged]
    if not columns:
        raise UsageError(f"{store.root} has no vectors yet: encode some texts with 'embank encode {store.root} FILE'")

    def order(column: StoredColumn) -> tuple[int, bool, int, int, int, int]:
        name = ColumnName.parse(column.name)
        rows = store.reader(column.name).n_rows
        return (
            -rows,
            column.recipe.reading.given,
            -name.layer,
            _WIDER.index(name.pooling),
            -column.width,
            -codec_class(name.codec).bits_per_number,
        )

    return min(columns, key=order).name


def finer_column(store: Store, column: StoredColumn) -> str | None:
    """For a binary column, another one of the same vectors that orders what it finds, or None."""
    if codec_class(column.recipe.codec).bits_per_number > 1:
        return None
    same = [
        (codec_class(other.recipe.codec).bits_per_number, other.name)
        for other in store.catalogue.columns().values()
        if other.recipe.source == column.recipe.source and codec_class(other.recipe.codec).bits_per_number > 1
    ]
    return min(same, key=lambda other: (other[0] < _ENOUGH, abs(other[0] - _ENOUGH)))[1] if same else None
