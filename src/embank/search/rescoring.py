"""Searching a column with vectors: candidates of an index, scored again from stored rows, then ordered."""

from typing import Final

import numpy as np
from jaxtyping import Float64

from embank.arrays import TextIds, Vectors
from embank.errors import UsageError
from embank.index import Candidates, Index
from embank.index.flat import ExactIndex
from embank.linalg.cosine import cosines
from embank.search import Neighbours
from embank.search.column import BLOCK, SCANNED, SearchedColumn, finer_column
from embank.store.folder import Store

WIDER: Final = 10
"""A first pass over binary rows takes so many times k texts, which a finer column then orders."""


def search_vectors(
    store: Store, column: str, queries: Vectors, k: int, allowed: TextIds | None = None, block: int = SCANNED
) -> Neighbours:
    """The k closest texts of each query, by the cosine with the stored vectors; every vector is looked at.

    A binary column is only the first pass where the bank has a finer column of the same vectors: that one then orders
    ten times k of its texts; a text without a row there keeps its score of the first pass.

    Args:
        store: the bank.
        column: its name.
        queries: float32 `[queries, width]`.
        k: texts per query, at the most.
        allowed: numbers of texts that may be found, ascending; None: all.
        block: texts at a time; the result does not depend on it.

    Raises:
        UsageError: unknown column, or queries of another width or that are not finite.
    """
    searched = SearchedColumn(store, column, allowed, block)
    finer = finer_column(store, searched.stored)
    return search_column(searched, queries, k, None if finer is None else SearchedColumn(store, finer))


def search_column(
    searched: SearchedColumn, queries: Vectors, k: int, finer: SearchedColumn | None = None
) -> Neighbours:
    """The k closest texts of each query in an open column; with a finer one, in its order: see `search_vectors`.

    Raises:
        UsageError: queries of another width or that are not finite.
    """
    check_queries(searched, queries)
    index = ExactIndex(searched.codec, searched.blocks)
    if finer is None:
        return ordered(searched, index.candidates(queries, k), queries, k)
    wide = ordered(searched, index.candidates(queries, WIDER * k), queries, WIDER * k)
    return _reordered(wide, finer, queries, k)


def search_index(searched: SearchedColumn, index: Index, queries: Vectors, k: int) -> Neighbours:
    """The k closest texts of each query among those that an index finds."""
    check_queries(searched, queries)
    return ordered(searched, index.candidates(queries, k), queries, k)


def check_queries(searched: SearchedColumn, queries: Vectors) -> None:
    """Refuse queries that cannot be compared with a column.

    Raises:
        UsageError: another width, or numbers that are not finite.
    """
    width = searched.stored.width
    if queries.ndim != 2 or queries.shape[1] != width:  # noqa: PLR2004 - queries by width
        raise UsageError(f"{searched.stored.name} is searched with vectors [queries, {width}], found {queries.shape}")
    if not np.isfinite(queries).all():
        bad = int(np.flatnonzero(~np.isfinite(queries).all(axis=1))[0])
        raise UsageError(f"query {bad} holds NaN or infinity: leave it out")


def ordered(searched: SearchedColumn, found: Candidates, queries: Vectors, k: int) -> Neighbours:
    """Score candidates from their stored rows, and keep the best k of each query."""
    return _best(found, _scores(searched, found, queries), k)


def _scores(searched: SearchedColumn, found: Candidates, queries: Vectors) -> Float64[np.ndarray, " candidates"]:
    scores = np.empty(len(found.texts), np.float64)
    for start in range(0, len(scores), BLOCK):
        part = slice(start, start + BLOCK)
        distinct, which = np.unique(found.texts[part], return_inverse=True)
        scores[part] = cosines(searched.vectors(distinct)[which], queries[found.queries[part]])
    return scores


def _reordered(wide: Neighbours, finer: SearchedColumn, queries: Vectors, k: int) -> Neighbours:
    scores = wide.scores.astype(np.float64)
    there = finer.reader.has(wide.texts)
    scores[there] = _scores(finer, Candidates(wide.queries[there], wide.texts[there]), queries)
    return _best(Candidates(wide.queries, wide.texts), scores, k)


def _best(found: Candidates, exact: Float64[np.ndarray, " candidates"], k: int) -> Neighbours:
    scores = exact.astype(np.float32)
    order = np.lexsort((found.texts, -scores, found.queries))
    queries = found.queries[order]
    ranks = np.arange(len(order)) - np.searchsorted(queries, queries) + 1
    kept = order[ranks <= k]
    return Neighbours(found.queries[kept], ranks[ranks <= k].astype(np.int64), found.texts[kept], scores[kept])
