"""A scan over a bank: blocks of texts are predicted side by side on all cores, and come out in order."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from embank.arrays import TextIds
from embank.prediction import TaskOutputs
from embank.prediction.fused import FusedHeads
from embank.store.segments import ColumnReader

BLOCK = 4096
"""Texts in a block: their rows, cast to float32, stay in a core's cache."""


def scan(heads: FusedHeads, blocks: Iterable[TextIds]) -> Iterator[tuple[TextIds, list[TaskOutputs]]]:
    """Predict blocks of texts, in order, on all cores."""

    def predict(texts: TextIds) -> tuple[TextIds, list[TaskOutputs]]:
        return texts, heads.predict(texts)

    workers = os.cpu_count() or 1
    # Blocks run side by side, each product on one core: the casts around it are then spread over the cores as well.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[tuple[TextIds, list[TaskOutputs]]]] = deque()
        for texts in blocks:
            waiting.append(pool.submit(predict, texts))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def all_texts(readers: Iterable[ColumnReader]) -> Iterator[TextIds]:
    """Blocks of all texts that have a row in any of these columns, ascending."""
    several = list(readers)
    covered = [reader.covered() for reader in several[1:]]
    first = several[0]
    alike = all(len(own) == first.n_rows for own in covered)
    if alike and all(np.array_equal(first.covered(), own) for own in covered):
        yield from first.blocks(BLOCK)
        return
    union = np.unique(np.concatenate([first.covered(), *covered]))
    for start in range(0, len(union), BLOCK):
        yield union[start : start + BLOCK]
