"""The best candidates of some queries during a scan: all that may still be among the k best, and little more."""

from threading import Lock
from typing import Final, final

import numpy as np
from jaxtyping import Float32, Int64

from embank.arrays import TextIds
from embank.index.kernels import PerQuery, Products

_POOL: Final = 4
"""How many times k a query's pool may hold before it is pruned."""

_SHARE: Final = 16
"""Where more than one in so many scores of a block passes the bar, the block's own k-th best raises it first."""

Found = tuple[Int64[np.ndarray, " found"], TextIds, Float32[np.ndarray, " found"]]
"""Offsets of queries, numbers of texts, and their scores."""


@final
class Pool:
    """Keeps what can be among the k best, given by how much each score may be off; ties at k included.

    A score stands for an interval, score - slack to score + slack. The bar of a query is the k-th highest lower end
    that was seen: what has its upper end below it is out.
    """

    def __init__(self, k: int, queries: int) -> None:
        """Begin with nothing, for `queries` queries."""
        self._k, self._n = k, queries
        self._bar = np.full(queries, -np.inf, np.float32)
        nothing = np.empty(0, np.int64)
        self._parts = [(nothing, nothing, np.empty(0, np.float32), np.empty(0, np.float32))]
        self._lock = Lock()
        self._held = 0
        self._after_pruning = 0

    @property
    def bar(self) -> PerQuery:
        """Of each query, what the upper end of a score has to reach; it only rises."""
        return self._bar

    def add(self, texts: TextIds, scores: Products, slack: PerQuery) -> None:
        """Take what reaches the bar; several threads may add at once.

        Args:
            texts: their numbers, each given once in the life of a pool.
            scores: of each of them with each query, `[texts, queries]`, contiguous.
            slack: of each query, by how much these scores may be off.
        """
        bar = self._bar
        passed = scores >= bar - slack
        if len(texts) > self._k and int(np.count_nonzero(passed)) > passed.size // _SHARE:
            own = np.partition(scores, len(texts) - self._k, axis=0)[len(texts) - self._k]
            bar = np.maximum(bar, own - slack)
            passed = scores >= bar - slack
        where = np.flatnonzero(passed)
        if not len(where):
            return
        places, rows = np.divmod(where, self._n)
        self._take((rows, texts[places], scores.reshape(-1)[where]), slack, bar)

    def add_some(self, found: Found, slack: PerQuery) -> None:
        """The same for scores of some texts with some queries; each pair is given once in the life of a pool."""
        rows, texts, scores = found
        passed = scores >= (self._bar - slack)[rows]
        if passed.any():
            self._take((rows[passed], texts[passed], scores[passed]), slack, self._bar)

    def _take(self, found: Found, slack: PerQuery, bar: PerQuery) -> None:
        rows, texts, scores = found
        off = slack[rows]
        part = (rows, texts, scores - off, scores + off)
        with self._lock:
            self._bar = np.maximum(self._bar, bar)
            self._parts.append(part)
            self._held += len(rows)
            if self._held > max(_POOL * self._k * self._n, 2 * self._after_pruning):
                self._prune()

    def best(self) -> tuple[Int64[np.ndarray, " found"], TextIds]:
        """What is left: offsets of queries, ascending, and numbers of texts."""
        self._prune()
        return self._parts[0][0], self._parts[0][1]

    def _prune(self) -> None:
        queries, texts, low, high = (np.concatenate(columns) for columns in zip(*self._parts, strict=True))
        order = np.lexsort((texts, -low, queries))
        queries, texts, low, high = queries[order], texts[order], low[order], high[order]
        begins = np.searchsorted(queries, np.arange(self._n))
        ends = np.searchsorted(queries, np.arange(self._n), side="right")
        full = ends - begins >= self._k
        self._bar[full] = np.maximum(self._bar[full], low[begins[full] + self._k - 1])
        kept = high >= self._bar[queries]
        self._parts = [(queries[kept], texts[kept], low[kept], high[kept])]
        self._held = self._after_pruning = int(kept.sum())
