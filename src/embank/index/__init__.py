"""The contract of indexes: which of many vectors are closest to a query.

An index knows texts by their numbers and vectors by their cosine; it knows neither banks nor columns. What it finds
are candidates, more than k; who reads the stored rows scores them again and orders them, so that the
answer of an exact search depends neither on blocks nor on the processor's order of adding.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from jaxtyping import Float32, Int64

from embank.arrays import Rows, TextIds, Vectors


@dataclass(frozen=True, eq=False)
class RowBlock:
    """Some stored rows, and how long their vectors are.

    Attributes:
        texts: numbers of texts.
        rows: as their codec stores them, `[texts, cells]`.
        lengths: of the decoded vectors; beyond float32, infinity.
    """

    texts: TextIds
    rows: Rows
    lengths: Float32[np.ndarray, " texts"]

    @cached_property
    def extent(self) -> tuple[float, float]:
        """The shortest and the longest length; NaN where one is."""
        return float(self.lengths.min()), float(self.lengths.max())

    def parts(self, most: int) -> Iterator["RowBlock"]:
        """This block in parts of so many texts at the most."""
        if len(self.texts) <= most:
            yield self
            return
        for start in range(0, len(self.texts), most):
            part = slice(start, start + most)
            yield RowBlock(self.texts[part], self.rows[part], self.lengths[part])


Blocks = Callable[[], Iterator[RowBlock]]
"""All rows of a scan, block after block."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Texts that may be among the closest to a query.

    Attributes:
        queries: offsets of the queries, ascending.
        texts: numbers of texts, one for each of these.
    """

    queries: Int64[np.ndarray, " candidates"]
    texts: Int64[np.ndarray, " candidates"]


class Index(Protocol):
    """An index as searching sees it."""

    def candidates(self, queries: Vectors, k: int) -> Candidates:
        """Texts that hold the k closest to each query: all of them where the index is exact.

        Args:
            queries: `[queries, width]`, none longer or shorter for it.
            k: at least 1; fewer come back if there are fewer texts.
        """
        ...
