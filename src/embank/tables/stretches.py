"""Cutting a stream of rows into blocks of a given number of rows, or fewer if rows are very long."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar

import pyarrow as pa

Row = TypeVar("Row")

#: A block is ended early once it holds this much (characters or bytes).
HEAVY = 1 << 25
#: Rows are weighed in small lots, so that a few very long ones are noticed in time.
_LOT = 64


def stretches(rows: Iterator[Row], most: int, weigh: Callable[[list[Row]], int]) -> Iterator[list[Row]]:
    """Cut rows into lists of `most`, or fewer once they weigh more than `HEAVY`.

    >>> list(stretches(iter("abcde"), 2, len))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    stretch: list[Row] = []
    weight = 0
    while lot := list(islice(rows, min(_LOT, most - len(stretch)))):
        stretch += lot
        weight += weigh(lot)
        if len(stretch) >= most or weight >= HEAVY:
            yield stretch
            stretch, weight = [], 0
    if stretch:
        yield stretch


def arrow_stretches(batches: Iterator[pa.RecordBatch], most: int) -> Iterator[pa.Table]:
    """Cut Arrow batches of any length into tables of `most` rows, or fewer once they weigh more than `HEAVY`."""
    waiting: list[pa.RecordBatch] = []
    rows = weight = 0
    for arrived in batches:
        batch = arrived
        while rows + batch.num_rows >= most:
            here = most - rows
            yield pa.Table.from_batches([*waiting, batch.slice(0, here)])
            batch, waiting, rows, weight = batch.slice(here), [], 0, 0
        if batch.num_rows:
            waiting.append(batch)
            rows += batch.num_rows
            weight += batch.nbytes
        if weight >= HEAVY:
            yield pa.Table.from_batches(waiting)
            waiting, rows, weight = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def rows_at_once(bytes_per_row: float, most: int) -> int:
    """Choose how many rows of a known average size to read at once.

    >>> rows_at_once(100.0, 8192), rows_at_once(10e6, 8192)
    (8192, 3)
    """
    return max(1, min(most, int(HEAVY / max(bytes_per_row, 1.0))))


def total_length(lot: list[Any]) -> int:
    """Weigh rows that have a length: bytes or strings."""
    return sum(map(len, lot))
