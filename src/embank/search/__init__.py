"""The contract of retrieval: what a search is given beside its queries, and what comes out."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from embank.errors import UsageError

Way = Literal["exact", "approximate"]


@dataclass(frozen=True)
class SearchSettings:
    """How to search.

    Attributes:
        k: texts per query.
        column: which column to search; None: see `choose_column`.
        where: (task, label): only texts of which the task predicts this label; several must hold together.
        way: "exact" looks at every vector, "approximate" asks a graph that is kept in the bank.
    """

    k: int = 10
    column: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    way: Way = "exact"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"found k = {self.k}; a search gives at least 1 text per query")
        if self.way == "approximate" and self.where:
            raise UsageError("an approximate search cannot be narrowed by a task: leave one of the two out")


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The closest texts of each query, best first; ties in order of the texts' numbers.

    Attributes:
        queries: offsets of the queries, ascending.
        ranks: from 1, of each query.
        texts: the bank's numbers of the texts.
        scores: cosines, float32.
    """

    queries: Int64[np.ndarray, " found"]
    ranks: Int64[np.ndarray, " found"]
    texts: Int64[np.ndarray, " found"]
    scores: Float32[np.ndarray, " found"]
