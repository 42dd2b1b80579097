"""Exact search: every vector against every query, block by block; memory does not grow with the number of vectors."""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float32, Int64

from embank.arrays import TextIds, Vectors
from embank.index import Blocks, Candidates
from embank.similarity import SLACK, unit

_QUERIES: Final = 512
"""Queries multiplied at a time, which bounds the memory for scores."""

_POOL: Final = 4
"""How many times k a query's pool may hold before it is pruned."""


@final
@dataclass(frozen=True)
class ExactIndex:
    """Reads all vectors for every search.

    Attributes:
        blocks: gives the vectors.
    """

    blocks: Blocks

    def candidates(self, queries: Vectors, k: int) -> Candidates:
        """Return all texts that are, up to float32's rounding, among the k closest to a query; ties at k included."""
        asked = unit(queries)
        pools = [_Pool(k, min(_QUERIES, len(asked) - start)) for start in range(0, len(asked), _QUERIES)]
        for texts, vectors in self.blocks():
            scaled = unit(vectors)
            for at, pool in enumerate(pools):
                pool.add(texts, asked[at * _QUERIES : (at + 1) * _QUERIES] @ scaled.T)
        parts = [pool.best() for pool in pools]
        nothing = np.empty(0, np.int64)
        return Candidates(
            np.concatenate([nothing, *(found + at * _QUERIES for at, (found, _) in enumerate(parts))]),
            np.concatenate([nothing, *(texts for _, texts in parts)]),
        )


class _Pool:
    """The best so far of some queries; what is within the slack of the k-th best stays, however many they are."""

    def __init__(self, k: int, queries: int) -> None:
        self._k, self._n = k, queries
        self._bar = np.full(queries, -np.inf, np.float32)
        self._queries: list[Int64[np.ndarray, " found"]] = []
        self._texts: list[TextIds] = []
        self._scores: list[Float32[np.ndarray, " found"]] = []
        self._held = 0
        self._after_pruning = 0

    def add(self, texts: TextIds, scores: Float32[np.ndarray, "queries texts"]) -> None:
        """Take what reaches the bar."""
        if len(texts) > self._k:  # a block's own k-th best is a bar already, before anything is copied
            own = -np.partition(-scores, self._k - 1, axis=1)[:, self._k - 1]
            self._bar = np.maximum(self._bar, own - np.float32(SLACK))
        rows, places = np.nonzero(scores >= self._bar[:, None])
        self._queries.append(rows.astype(np.int64))
        self._texts.append(texts[places])
        self._scores.append(scores[rows, places])
        self._held += len(rows)
        if self._held > max(_POOL * self._k * self._n, 2 * self._after_pruning):
            self._prune()

    def best(self) -> tuple[Int64[np.ndarray, " found"], TextIds]:
        """The pool after its last pruning: offsets of queries, ascending, and numbers of texts."""
        self._prune()
        return self._queries[0], self._texts[0]

    def _prune(self) -> None:
        queries = np.concatenate([np.empty(0, np.int64), *self._queries])
        texts = np.concatenate([np.empty(0, np.int64), *self._texts])
        scores = np.concatenate([np.empty(0, np.float32), *self._scores])
        order = np.lexsort((texts, -scores, queries))
        queries, texts, scores = queries[order], texts[order], scores[order]
        begins = np.searchsorted(queries, np.arange(self._n))
        ends = np.searchsorted(queries, np.arange(self._n), side="right")
        full = ends - begins >= self._k
        self._bar[full] = np.maximum(self._bar[full], scores[begins[full] + self._k - 1] - np.float32(SLACK))
        kept = scores >= self._bar[queries]
        self._queries, self._texts, self._scores = [queries[kept]], [texts[kept]], [scores[kept]]
        self._held = self._after_pruning = int(kept.sum())
