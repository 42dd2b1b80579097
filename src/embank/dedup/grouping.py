"""Near duplicates in a column: all pairs in blocks, or what an index finds; after the first time, new texts only."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from embank.arrays import TextIds, Vectors
from embank.codecs import Codec
from embank.dedup import Groups, Members
from embank.dedup.cache import remember, remembered
from embank.dedup.union_find import Joining
from embank.index import Index
from embank.linalg.cosine import SLACK, cosines, unit
from embank.store import StoredColumn
from embank.store.folder import Store
from embank.store.segments import ColumnReader
from embank.store.vectors import codec_of, decoded

BLOCK: Final = 4096
"""Texts on each side of a product: 64 MiB of scores."""

_ROUNDING: Final = 1e-6
"""Two equal vectors may have a cosine a little below 1, once each is scaled in float32."""

_NEAR: Final = 16
"""How many near texts an index is asked for at first."""

_MORE: Final = 4
"""By how much that grows where all of them are near duplicates."""

Progress = Callable[[int, int], None]
"""Told how many of the texts that are compared have been, and how many there are."""


class Grouping:
    """Groups the texts of one column."""

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
        self._root = store.root
        self._column, self._threshold, self._index, self._block = column, threshold, index, block
        self._kind = f"{threshold!r}-{'exact' if index is None else 'approximate'}"
        self._reader: ColumnReader = store.reader(column.name)
        self._codec: Codec = codec_of(store, column)

    def groups(self, progress: Progress = lambda *_: None) -> Groups:
        """Group all texts that have a row now, and remember the groups in the bank.

        Texts that were grouped before at this threshold are compared with new ones only. Where one of them has been
        forgotten since, all are compared again: what it held together may have fallen apart.
        """
        texts = self._reader.covered()
        joining, new = self._begun(texts)
        compared = 0
        for done, start in enumerate(range(0, len(new), self._block), start=1):
            right = new[start : start + self._block]
            vectors = self._vectors(texts[right])
            if self._index is not None:
                compared += self._join_found(joining, texts, (right, vectors), self._index)
            else:
                # New texts are the last ones: what stands before a block's end is old, or new and earlier.
                for left, others in self._before(texts, int(right[-1]) + 1):
                    compared += self._join(joining, (left, others), (right, vectors))
            progress(min(done * self._block, len(new)), len(new))
        representatives = texts[joining.lowest(np.arange(len(texts)))]
        if len(new) or not len(texts):
            remember(self._root, self._column, self._kind, (texts, representatives))
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
        known = remembered(self._root, self._column, self._kind)
        alone = np.arange(len(texts), dtype=np.int64)
        if known is None or not len(known[0]) or not np.isin(known[0], texts, assume_unique=True).all():
            return Joining(alone), alone
        places = np.searchsorted(texts, known[0])
        if places[-1] != len(places) - 1:  # a text that is older than one that was grouped got its row later
            return Joining(alone), alone
        lowest = alone.copy()
        lowest[places] = np.searchsorted(texts, known[1])
        return Joining(lowest), alone[len(places) :]

    def _before(self, texts: TextIds, end: int) -> Iterator[tuple[TextIds, Vectors]]:
        for start in range(0, end, self._block):
            places = np.arange(start, min(start + self._block, end), dtype=np.int64)
            yield places, self._vectors(texts[places])

    def _vectors(self, texts: TextIds) -> Vectors:
        return unit(decoded(self._reader, self._codec, texts))

    def _join(self, joining: Joining, left: tuple[TextIds, Vectors], right: tuple[TextIds, Vectors]) -> int:
        """Join what reaches the threshold between two blocks; returns how many pairs were compared."""
        scores = left[1] @ right[1].T
        rows, places = np.nonzero(scores >= np.float32(self._threshold - SLACK))
        found = scores[rows, places]
        earlier = left[0][rows] < right[0][places]
        sure = earlier & (found >= np.float32(self._threshold + SLACK))
        joining.join(left[0][rows[sure]], right[0][places[sure]])
        # The few that are too close to the threshold for float32 are measured in double precision.
        rows, places = rows[earlier & ~sure], places[earlier & ~sure]
        apart = joining.lowest(left[0][rows]) != joining.lowest(right[0][places])
        rows, places = rows[apart], places[apart]
        for start in range(0, len(rows), self._block):
            one, other = rows[start : start + self._block], places[start : start + self._block]
            near = cosines(left[1][one], right[1][other]) >= self._threshold - _ROUNDING
            joining.join(left[0][one[near]], right[0][other[near]])
        return int((left[0][:, None] < right[0][None, :]).sum()) if left[0][-1] >= right[0][0] else scores.size

    def _join_found(self, joining: Joining, texts: TextIds, own: tuple[TextIds, Vectors], index: Index) -> int:
        """Join texts with what an index finds near them; returns how many pairs were compared.

        Where all that was found for a text reaches the threshold, there may be more, and more is asked for.
        """
        places, vectors = own
        asked, k, compared = np.arange(len(places)), _NEAR, 0
        while len(asked) and k < _MORE * len(texts):  # the last time, all texts are asked for
            found = index.candidates(vectors[asked], k)
            others = np.minimum(np.searchsorted(texts, found.texts), len(texts) - 1)
            near = np.zeros(len(others), np.bool_)
            for start in range(0, len(others), self._block):
                part = slice(start, start + self._block)
                beside = self._vectors(texts[others[part]])
                close = cosines(beside, vectors[asked[found.queries[part]]]) >= self._threshold - _ROUNDING
                near[part] = close & (texts[others[part]] == found.texts[part])
            joining.join(places[asked[found.queries[near]]], others[near])
            compared += len(others)
            counts = np.bincount(found.queries, minlength=len(asked))
            full = np.bincount(found.queries[near], minlength=len(asked)) == counts
            asked, k = asked[full & (counts < len(texts))], _MORE * k
        return compared
