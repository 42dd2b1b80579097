"""A scan over a bank: blocks of texts are predicted side by side on all cores, and come out in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from embank.arrays import TextIds
from embank.predict import TaskOutputs
from embank.predict.fused import FusedHeads
from embank.store.segments import ColumnReader

BLOCK = 16384
"""Texts in a block: enough that what is done once a block and task costs nothing."""

_T = TypeVar("_T")


def scan(
    heads: FusedHeads, blocks: Iterable[TextIds], answer: Callable[[list[TaskOutputs]], _T]
) -> Iterator[tuple[TextIds, _T]]:
    """Predict blocks of texts on all cores, and make something of the outputs there; comes out in order."""

    def predict(texts: TextIds) -> tuple[TextIds, _T]:
        return texts, answer(heads.predict(texts))

    workers = int(joblib.cpu_count())
    # Blocks run side by side, each product on one core: the casts around it are then spread over the cores as well.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[tuple[TextIds, _T]]] = deque()
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
