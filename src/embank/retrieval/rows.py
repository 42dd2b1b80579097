"""A column of a bank as vectors to compare: in blocks for a scan, and by number, each text's bits its own."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from embank.arrays import TextIds, Vectors
from embank.codecs import Codec
from embank.errors import UsageError
from embank.recipe import CODECS, ColumnName
from embank.store import StoredColumn
from embank.store.decoding import codec_of, decoded
from embank.store.folder import Store
from embank.store.segments import ColumnReader

BLOCK: Final = 8192
"""Texts decoded at a time."""

_WIDER: Final = ("own", "mean", "last", "first", "max")
"""Poolings in the order in which they are taken for a column that is to be searched."""

_PRODUCTS: Final = ("binary",)
"""Codecs whose decoding is a matrix product, so that the last bit of a vector may depend on its neighbours."""


class SearchedColumn:
    """The vectors of one column, all of them or those of some texts only."""

    def __init__(self, store: Store, name: str, allowed: TextIds | None = None, block: int = BLOCK) -> None:
        """Read column `name`, of the texts `allowed` (ascending; None: all), `block` texts at a time.

        Raises:
            UsageError: no such column, or one of states.
        """
        self.stored: StoredColumn = store.column(str(ColumnName.parse(name)))
        if self.stored.is_ragged:
            raise UsageError(f"{self.stored.name} holds states, which have no one vector a text: name another column")
        self.reader: ColumnReader = store.reader(self.stored.name)
        self.codec: Codec = codec_of(store, self.stored)
        self._allowed, self._block = allowed, block

    def blocks(self) -> Iterator[tuple[TextIds, Vectors]]:
        """All texts and their vectors."""
        for texts in self.reader.blocks(self._block):
            chosen = texts if self._allowed is None else texts[np.isin(texts, self._allowed, assume_unique=True)]
            if len(chosen):
                yield chosen, decoded(self.reader, self.codec, chosen)

    def vectors(self, texts: TextIds) -> Vectors:
        """Vectors of some texts, in their order; a text's numbers do not depend on the others.

        Raises:
            DamageError: a text has no row.
        """
        if self.codec.name not in _PRODUCTS or not len(texts):
            return decoded(self.reader, self.codec, texts)
        rows = self.reader.gather(texts)
        return np.concatenate([self.codec.decode(rows[at : at + 1]) for at in range(len(rows))])


def choose_column(store: Store) -> str:
    """The column that is searched where none is named.

    Of the columns of vectors, those with the most texts; of these the highest layer; then `own` before mean, last,
    first and max; then the finest codec.

    Raises:
        UsageError: the bank has no column of vectors.
    """
    columns = [column for column in store.catalogue.columns().values() if not column.is_ragged]
    if not columns:
        raise UsageError(f"{store.root} has no vectors yet: encode some texts with 'embank encode {store.root} FILE'")

    def order(column: StoredColumn) -> tuple[int, int, int, int]:
        name = ColumnName.parse(column.name)
        rows = store.reader(column.name).n_rows
        return -rows, -name.layer, _WIDER.index(name.pooling), CODECS.index(name.codec)

    return min(columns, key=order).name


def finer_column(store: Store, column: StoredColumn) -> str | None:
    """For a binary column, the smallest finer one of the same vectors; None where there is none."""
    if column.recipe.codec not in _PRODUCTS:
        return None
    same = [
        other
        for other in store.catalogue.columns().values()
        if other.recipe.source == column.recipe.source and other.recipe.codec not in _PRODUCTS
    ]
    return max(same, key=lambda other: CODECS.index(other.recipe.codec)).name if same else None
