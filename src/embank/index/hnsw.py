"""Approximate search: a graph of neighbours (HNSW, by usearch), which is searched instead of reading every vector."""

from typing import TYPE_CHECKING, Final, Self, final

import numpy as np
from jaxtyping import UInt8

from embank.arrays import TextIds, Vectors
from embank.errors import DamageError
from embank.index import Candidates
from embank.linalg.cosine import unit
from embank.optional import load

if TYPE_CHECKING:
    import usearch.index

_EXPANSION: Final = 128
"""How many candidates a walk keeps, at the least: usearch's own 64 loses some percent of the neighbours."""

_FOUNDERS: Final = 1024
"""Vectors that are added one after another; on those that follow, threads hardly matter."""

_MORE: Final = 2
"""A walk returns so many times k, since who reads the stored rows orders them once more."""


@final
class GraphIndex:
    """A graph over unit vectors at float16; it grows, and never forgets: who has to, makes a new one."""

    def __init__(self, graph: "usearch.index.Index") -> None:
        """Hold usearch's index; use `empty` or `restored`."""
        self._graph = graph

    @classmethod
    def empty(cls, width: int) -> Self:
        """Make a graph without vectors.

        Raises:
            ExtraMissingError: usearch is not installed.
        """
        return cls(load("usearch.index", "search").Index(ndim=width, metric="cos", dtype="f16"))

    @classmethod
    def restored(cls, content: UInt8[np.ndarray, " bytes"], width: int) -> Self:
        """Make a graph again from what `content` gave; the caller has looked whether the bytes are whole.

        Raises:
            ExtraMissingError: usearch is not installed.
            DamageError: another usearch wrote it, and this one cannot read it.
        """
        made = cls.empty(width)
        try:
            made._graph.load(content.tobytes())  # noqa: SLF001 - its own
        except Exception as fault:  # usearch raises what it likes
            raise DamageError(f"the graph cannot be read by this usearch ({fault}): it has to be built anew") from fault
        return made

    def __len__(self) -> int:
        return len(self._graph)

    def add(self, texts: TextIds, vectors: Vectors) -> None:
        """Add vectors of texts that the graph does not have."""
        keys, rows = texts.astype(np.uint64), unit(vectors)
        # Threads that found a graph at once do not see each other's vectors, and some are never linked well.
        first = max(0, _FOUNDERS - len(self))
        if first:
            self._graph.add(keys[:first], rows[:first], threads=1)
        if len(keys) > first:
            self._graph.add(keys[first:], rows[first:])

    def content(self) -> UInt8[np.ndarray, " bytes"]:
        """The graph as bytes."""
        return np.frombuffer(self._graph.save(), np.uint8)

    def candidates(self, queries: Vectors, k: int) -> Candidates:
        """Return about twice k texts for each query; nearly all of the k closest are among them."""
        count = min(_MORE * k, len(self))
        if not count or not len(queries):
            return Candidates(np.empty(0, np.int64), np.empty(0, np.int64))
        self._graph.expansion_search = max(_EXPANSION, _MORE * count)
        found = self._graph.search(np.atleast_2d(unit(queries)), count)
        keys = np.asarray(found.keys).reshape(len(queries), -1)
        counts = np.asarray(getattr(found, "counts", [keys.shape[1]])).reshape(-1)
        filled = np.arange(keys.shape[1])[None, :] < counts[:, None]
        owners = np.repeat(np.arange(len(queries), dtype=np.int64), filled.sum(axis=1))
        return Candidates(owners, keys[filled].astype(np.int64))
