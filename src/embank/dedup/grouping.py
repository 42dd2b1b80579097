"""Near duplicates in a column: all pairs in blocks, or what an index finds; after the first time, new texts only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from embank.arrays import TextIds, Vectors
from embank.codecs import Codec
from embank.dedup import Groups, Members
from embank.dedup.union_find import Joining
from embank.index import Index
from embank.linalg.cosine import SLACK, cosines, unit
from embank.store import GROUPS, StoredColumn
from embank.store.cache import auxiliary_place, read_auxiliary, write_auxiliary
from embank.store.folder import Store
from embank.store.segments import ColumnReader
from embank.store.vectors import codec_of, decoded

BLOCK: Final = 4096
"""Texts on each side of a product: 64 MiB of scores."""

_ROUNDING: Final = 1e-6
"""Two equal vectors may have a cosine a little below 1, once each is scaled in float32."""

_NEAR: Final = 16
"""How many near texts an index gives per text at first."""

_MORE: Final = 4
"""By how much that grows where all of them are near duplicates."""

Progress = Callable[[int, int], None]
"""A progress callback, called with the number of texts that have been compared, and that are to be compared."""


@dataclass(frozen=True, eq=False)
class _Stretch:
    """Texts by their places, with their vectors scaled to length one."""

    places: TextIds
    vectors: Vectors


class Grouping:
    """Groups the texts of one column.

    What was found is kept in the bank, so that the next run compares new texts only: one file, whole or absent, named
    by the column's number and fingerprint, the threshold and the way. It is not used where it does not fit the bank any
    more, and can be deleted at any time.
    """

    def __init__(
        self, store: Store, column: StoredColumn, threshold: float, index: Index | None = None, block: int = BLOCK
    ) -> None:
        """Group the texts of a column.

        Args:
            store: the bank.
            column: of it.
            threshold: the cosine of near duplicates.
            index: over exactly this column; each text is compared with what it finds. None: with every other text.
            block: texts at a time; the groups do not depend on it.
        """
        self._threshold, self._index, self._block = threshold, index, block
        kind = f"{threshold!r}-{'exact' if index is None else 'approximate'}"
        self._place = auxiliary_place(store.root, GROUPS, column, kind)
        self._reader: ColumnReader = store.reader(column.name)
        self._codec: Codec = codec_of(store, column)

    def groups(self, progress: Progress = lambda *_: None) -> Groups:
        """Group all texts that have a row now, and keep the groups in the bank.

        Texts that were grouped before at this threshold are compared with new ones only. Where one of them has been
        forgotten since, all are compared again: what it held together may have fallen apart.

        Raises:
            StorageFullError: no space is left; what an earlier run kept stays.
        """
        texts = self._reader.covered()
        joining, new = self._begun(texts)
        compared = 0
        for done, start in enumerate(range(0, len(new), self._block), start=1):
            right = new[start : start + self._block]
            stretch = _Stretch(right, self._vectors(texts[right]))
            if self._index is not None:
                compared += self._join_found(joining, texts, stretch, self._index)
            else:
                # New texts are the last ones: what stands before a block's end is old, or new and earlier.
                for left in self._before(texts, int(right[-1]) + 1):
                    compared += self._join(joining, left, stretch)
            progress(min(done * self._block, len(new)), len(new))
        representatives = texts[joining.lowest(np.arange(len(texts)))]
        if len(new) or not len(texts):
            write_auxiliary(self._place, {"texts": texts, "representatives": representatives})
        return Groups(texts, representatives, compared, len(texts) - len(new))

    def members(self, groups: Groups) -> Members:
        """The groups of two or more, in order of their representatives; then in order of the texts."""
        _, which, sizes = np.unique(groups.representatives, return_inverse=True, return_counts=True)
        shared = sizes[which] > 1
        texts, representatives = groups.texts[shared], groups.representatives[shared]
        order = np.lexsort((texts, representatives))
        texts, representatives = texts[order], representatives[order]
        scores = np.empty(len(texts), np.float32)
        for start in range(0, len(texts), self._block):
            part = slice(start, start + self._block)
            distinct, own = np.unique(representatives[part], return_inverse=True)
            firsts = decoded(self._reader, self._codec, distinct)[own]
            scores[part] = cosines(decoded(self._reader, self._codec, texts[part]), firsts)
        scores[texts == representatives] = 1.0
        return Members(texts, representatives, scores)

    def _begun(self, texts: TextIds) -> tuple[Joining, TextIds]:
        """The groups to begin with, and the places of texts that are new to them."""
        known = read_auxiliary(self._place, ("texts", "representatives"))
        alone = np.arange(len(texts), dtype=np.int64)
        if known is None or not len(known["texts"]) or not np.isin(known["texts"], texts, assume_unique=True).all():
            return Joining(alone), alone
        places = np.searchsorted(texts, known["texts"])
        if places[-1] != len(places) - 1:  # a text that is older than one that was grouped got its row later
            return Joining(alone), alone
        lowest = alone.copy()
        lowest[places] = np.searchsorted(texts, known["representatives"])
        return Joining(lowest), alone[len(places) :]

    def _before(self, texts: TextIds, end: int) -> Iterator[_Stretch]:
        for start in range(0, end, self._block):
            places = np.arange(start, min(start + self._block, end), dtype=np.int64)
            yield _Stretch(places, self._vectors(texts[places]))

    def _vectors(self, texts: TextIds) -> Vectors:
        return unit(decoded(self._reader, self._codec, texts))

    def _join(self, joining: Joining, left: _Stretch, right: _Stretch) -> int:
        """Join what reaches the threshold between two blocks; returns how many pairs were compared."""
        scores = left.vectors @ right.vectors.T
        rows, places = np.nonzero(scores >= np.float32(self._threshold - SLACK))
        found = scores[rows, places]
        earlier = left.places[rows] < right.places[places]
        sure = earlier & (found >= np.float32(self._threshold + SLACK))
        joining.join(left.places[rows[sure]], right.places[places[sure]])
        # The few that are too close to the threshold for float32 are measured in double precision.
        rows, places = rows[earlier & ~sure], places[earlier & ~sure]
        apart = joining.lowest(left.places[rows]) != joining.lowest(right.places[places])
        rows, places = rows[apart], places[apart]
        for start in range(0, len(rows), self._block):
            one, other = rows[start : start + self._block], places[start : start + self._block]
            near = cosines(left.vectors[one], right.vectors[other]) >= self._threshold - _ROUNDING
            joining.join(left.places[one[near]], right.places[other[near]])
        if left.places[-1] < right.places[0]:
            return int(scores.size)
        return int((left.places[:, None] < right.places[None, :]).sum())

    def _join_found(self, joining: Joining, texts: TextIds, stretch: _Stretch, index: Index) -> int:
        """Join texts with what an index finds near them; returns how many pairs were compared.

        Where all that was found for a text reaches the threshold, there may be more: the index is searched again.
        """
        places, vectors = stretch.places, stretch.vectors
        open_rows, k, compared = np.arange(len(places)), _NEAR, 0
        while len(open_rows) and k < _MORE * len(texts):  # at last, the index is searched for all texts
            found = index.candidates(vectors[open_rows], k)
            others = np.minimum(np.searchsorted(texts, found.texts), len(texts) - 1)
            near = np.zeros(len(others), np.bool_)
            for start in range(0, len(others), self._block):
                part = slice(start, start + self._block)
                beside = self._vectors(texts[others[part]])
                close = cosines(beside, vectors[open_rows[found.queries[part]]]) >= self._threshold - _ROUNDING
                near[part] = close & (texts[others[part]] == found.texts[part])
            joining.join(places[open_rows[found.queries[near]]], others[near])
            compared += len(others)
            counts = np.bincount(found.queries, minlength=len(open_rows))
            full = np.bincount(found.queries[near], minlength=len(open_rows)) == counts
            open_rows, k = open_rows[full & (counts < len(texts))], _MORE * k
        return compared
