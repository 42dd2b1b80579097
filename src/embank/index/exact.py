"""Exact search: every stored row against every query, block by block; memory does not grow with the number of rows."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Final, final

import numpy as np
from threadpoolctl import threadpool_limits

from embank.arrays import Vectors
from embank.codecs import Codec
from embank.codecs.floats import Float32 as Float32Codec
from embank.index import Blocks, Candidates, RowBlock
from embank.index.pool import Pool
from embank.index.products import FoldedQueries, PerQuery, Products
from embank.similarity import SLACK, lengths, unit

_QUERIES: Final = 256
"""Queries multiplied at a time, which bounds the memory for scores."""

_WORKERS: Final = 8
"""Blocks multiplied side by side, at the most: each has its scores in memory, and memory's speed is shared."""

_SHORT: Final = 16
"""A vector so many times shorter than the sums on the way to its product is decoded: too much of them cancels out."""

_LEAST, _MOST = 1e-12, 1e12
"""Between these lengths products have room in float32."""

_BLOCK: Final = 16384


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
        asked = unit(queries)
        parts = [asked[start : start + _QUERIES] for start in range(0, len(asked), _QUERIES)]
        folded = [_Scoring(self.codec, part) for part in parts]
        pools = [Pool(k, len(part)) for part in parts]
        turn, blocks = Lock(), self.blocks()

        def work() -> None:
            while True:
                with turn:
                    block = next(blocks, None)
                if block is None:
                    return
                for scoring, pool in zip(folded, pools, strict=True):
                    pool.add(block.texts, *scoring.scores(block))

        workers = min(os.cpu_count() or 1, _WORKERS)
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


class _Scoring:
    """Cosines of stored rows with some queries of length one."""

    def __init__(self, codec: Codec, asked: Vectors) -> None:
        self._codec, self._asked = codec, asked
        self._folded = FoldedQueries(codec, asked)
        self.by_blas = self._folded.by_blas

    def scores(self, block: RowBlock) -> tuple[Products, PerQuery]:
        """Scores, and by how much those of each query may be off."""
        long, folded = block.lengths, self._folded
        plain = (long >= max(_LEAST, folded.reach / _SHORT)) & (long <= _MOST)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            scores = folded.products(block.rows)
            scores *= (1 / long)[:, None]
        if not plain.all():
            odd = np.flatnonzero(~plain)
            scores[odd] = unit(self._codec.decode(block.rows[odd])) @ self._asked.T
        least = float(long[plain].min()) if plain.any() else 1.0
        slack = SLACK + (folded.error + np.float32(SLACK * folded.reach)) / np.float32(least)
        return scores, slack.astype(np.float32)


def blocks_of(vectors: Vectors) -> Blocks:
    """Vectors in memory as blocks for an `ExactIndex` at float32; their numbers are their places."""

    def blocks() -> Iterator[RowBlock]:
        for start in range(0, len(vectors), _BLOCK):
            part = vectors[start : start + _BLOCK]
            yield RowBlock(np.arange(start, start + len(part)), part, lengths(part))

    return blocks


def index_of(vectors: Vectors) -> ExactIndex:
    """An index over vectors in memory."""
    return ExactIndex(Float32Codec(vectors.shape[1]), blocks_of(vectors))
