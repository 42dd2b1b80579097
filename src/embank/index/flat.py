"""Exact search: every stored row against every query, block by block; memory does not grow with the number of rows."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Final, final

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from embank.arrays import Mask, Vectors
from embank.codecs import Codec
from embank.index import Blocks, Candidates, RowBlock
from embank.index.kernels import FoldedQueries, PerQuery, Products, Scratch
from embank.index.topk import Pool
from embank.linalg.cosine import SLACK, unit

_QUERIES: Final = 256
"""Queries multiplied at a time, which bounds the memory for scores."""

_WORKERS: Final = 8
"""Blocks multiplied side by side, at the most: each has its scores in memory, and memory's speed is shared."""

_SHORT: Final = 16
"""A vector so many times shorter than the sums on the way to its product is decoded: too much of them cancels out."""

_LEAST, _MOST = 1e-12, 1e12
"""Between these lengths products have room in float32."""

_BLOCK: Final = 16384

_SCORES: Final = 2**18
"""Scores at a time, so that they stay in a core's cache."""

_TILE: Final = 2048
"""Products that are compared in one stretch."""

_MANY: Final = 16
"""Where more than one product in so many reaches the floor, as at first, the block's own k-th best has to raise it."""


@final
@dataclass(frozen=True)
class ExactIndex:
    """Reads all rows for every search, and decodes none of them, but for odd ones.

    Attributes:
        codec: of the rows.
        blocks: gives the rows.
    """

    codec: Codec
    blocks: Blocks

    def candidates(self, queries: Vectors, k: int) -> Candidates:
        """Return all texts that may be among the k closest to a query; ties at k included.

        Blocks are multiplied side by side, on several cores.
        """
        normed = unit(queries)
        parts = [normed[start : start + _QUERIES] for start in range(0, len(normed), _QUERIES)]
        folded = [_Scoring(self.codec, part) for part in parts]
        pools = [Pool(k, len(part)) for part in parts]
        turn, blocks = Lock(), self.blocks()

        def work() -> None:
            scratch = _Scratch(np.empty(_SCORES, np.float32), np.empty(_SCORES, np.bool_))
            while True:
                with turn:
                    block = next(blocks, None)
                if block is None:
                    return
                for scoring, pool in zip(folded, pools, strict=True):
                    for part in block.parts(max(1, _SCORES // max(1, scoring.n_queries))):
                        scoring.offer(part, pool, scratch)

        workers = min(int(joblib.cpu_count()), _WORKERS)
        with _one_core_a_product(folded), ThreadPoolExecutor(workers) as threads:
            for ended in [threads.submit(work) for _ in range(workers)]:
                ended.result()
        found = [pool.best() for pool in pools]
        nothing = np.empty(0, np.int64)
        return Candidates(
            np.concatenate([nothing, *(queries + at * _QUERIES for at, (queries, _) in enumerate(found))]),
            np.concatenate([nothing, *(texts for _, texts in found)]),
        )


def _one_core_a_product(folded: "Sequence[_Scoring]") -> AbstractContextManager[object]:
    """Keep BLAS to one core where blocks are multiplied side by side by it."""
    return threadpool_limits(1, user_api="blas") if any(one.by_blas for one in folded) else nullcontext()


@dataclass(frozen=True, eq=False)
class _Scratch:
    """Memory of one worker, used for one block after another."""

    products: Scratch
    reached: Mask


class _Scoring:
    """Cosines of stored rows with some queries of length one."""

    def __init__(self, codec: Codec, normed: Vectors) -> None:
        self._codec, self._queries = codec, normed
        self.n_queries = len(normed)
        self._folded = FoldedQueries(codec, normed)
        self._shortest = max(_LEAST, self._folded.reach / _SHORT)
        self.by_blas = self._folded.by_blas

    def offer(self, block: RowBlock, pool: Pool, scratch: "_Scratch") -> None:
        """Give a pool what may be among its best; most products are looked at once, as they come, and never scaled."""
        least, most = block.extent
        if not (least >= self._shortest and most <= _MOST):
            pool.add(block.texts, *self._scores(block))
            return
        products, slack = self._folded.products(block.rows, scratch.products), self._slack(least)
        bar = pool.bar - slack
        # A score is a product over a length: what stays below this does not reach the bar at any length of the block.
        floor = np.where(bar >= 0, bar * least, bar * most) - np.float32(SLACK / 8 * (most + self._folded.reach))
        where = np.flatnonzero(_reaching(products, floor, scratch.reached))
        if len(where) > products.size // _MANY:
            products *= (1 / block.lengths)[:, None]
            pool.add(block.texts, products, slack)
            return
        places, queries = np.divmod(where, self.n_queries)
        scores = products.reshape(-1)[where] / block.lengths[places]
        pool.add_some((queries, block.texts[places], scores), slack)

    def _scores(self, block: RowBlock) -> tuple[Products, PerQuery]:
        """Scores of a block with odd rows, and by how much those of each query may be off."""
        long, folded = block.lengths, self._folded
        plain = (long >= self._shortest) & (long <= _MOST)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            scores = folded.products(block.rows)
            scores *= (1 / long)[:, None]
        odd = np.flatnonzero(~plain)
        scores[odd] = unit(self._codec.decode(block.rows[odd])) @ self._queries.T
        return scores, self._slack(float(long[plain].min()) if plain.any() else 1.0)

    def _slack(self, least: float) -> PerQuery:
        """By how much scores of rows that are at least so long may be off."""
        folded = self._folded
        slack: PerQuery = SLACK + (folded.error + np.float32(SLACK * folded.reach)) / np.float32(least)
        return slack.astype(np.float32)


def _reaching(products: Products, floor: PerQuery, scratch: Mask) -> Mask:
    """Which products reach their query's floor, row after row; written into memory that is used again and again."""
    n = products.shape[1]
    if n == 1:
        only: Mask = np.greater_equal(products.reshape(-1), floor[0], out=scratch[: products.size])
        return only
    tile = np.tile(floor, max(1, _TILE // max(1, n)))  # numpy compares long stretches several times faster than short
    whole = products.size - products.size % tile.size
    flat, found = products.reshape(-1), scratch[: products.size]
    np.greater_equal(flat[:whole].reshape(-1, tile.size), tile, out=found[:whole].reshape(-1, tile.size))
    rest = flat[whole:].reshape(-1, n)
    np.greater_equal(rest, floor, out=found[whole:].reshape(-1, n))
    return found
