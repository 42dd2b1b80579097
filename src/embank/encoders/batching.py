"""Batches of token rows: filled to a token budget, sorted by length, their shapes rounded.

A CPU backend compiles a kernel for every new shape: free shapes cost factors of time and gigabytes of memory. Lengths
are therefore rounded up to a short ladder, and the number of rows to what that length allows, or a power of two.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Int64

from embank.arrays import Mask, Vectors
from embank.encoders import Batch, Tokens

_LADDER = ((64, 8), (128, 16), (512, 32), (2048, 128))
"""Up to this many tokens, round to a multiple of that."""


def rounded_length(length: int) -> int:
    """Round a length up its ladder.

    >>> [rounded_length(n) for n in (1, 8, 9, 65, 200, 600, 5000)]
    [8, 8, 16, 80, 224, 640, 5120]
    """
    for limit, step in (*_LADDER, (1 << 62, 512)):
        if length <= limit:
            return -(-length // step) * step
    raise AssertionError(length)  # pragma: no cover - the last rung has no limit


def batches(tokens: Tokens, budget: int, padding: int) -> Iterator[tuple[np.ndarray, Batch]]:
    """Cut token rows into batches, longest rows first.

    Args:
        tokens: rows in any order of length.
        budget: tokens that a batch may have, padding included; a row longer than that makes a batch of its own.
        padding: token number for the fill.

    Yields:
        The offsets of the batch's rows in `tokens`, and the batch.
    """
    lengths = np.array([len(ids) for ids in tokens.ids], np.int64)
    # Longest first: the largest allocation comes first. Ties in order, so that a run can be repeated.
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        length = rounded_length(int(lengths[order[start]]))
        full = max(1, budget // length)
        chosen = order[start : start + full]
        start += len(chosen)
        yield chosen, _pad(tokens, chosen, np.full((_rounded_rows(len(chosen), full), length), padding, np.int64))


def single_rows(batch: Batch) -> Iterator[Batch]:
    """Each real row of a batch by itself, without padding: for models whose numbers depend on it."""
    for row in range(batch.rows):
        at = (slice(row, row + 1), slice(0, int(batch.mask[row].sum())))
        yield Batch(
            ids=batch.ids[at],
            mask=batch.mask[at],
            pool=batch.pool[at],
            types=None if batch.types is None else batch.types[at],
            rows=1,
        )


def is_bare(batch: Batch) -> bool:
    """Whether a batch is one row without padding."""
    return len(batch.ids) == 1 and bool(batch.mask.all())


def stacked(rows: Iterable[list[Vectors]]) -> list[Vectors]:
    """Vectors of single rows as those of one batch, for each readout."""
    return [np.concatenate(parts) for parts in zip(*rows, strict=True)]


def finite(part: np.ndarray, batch: Batch) -> Mask:
    """Which real rows of a batch are numbers throughout, in the vectors or states of one readout."""
    if part.ndim == 2:  # noqa: PLR2004 - texts and width
        return np.asarray(np.isfinite(part).all(axis=1))
    sound = np.isfinite(part).all(axis=2) | (batch.mask[: len(part)] == 0)
    return np.asarray(sound.all(axis=1))


def _rounded_rows(rows: int, full: int) -> int:
    power = 1 << (rows - 1).bit_length()
    return min(full, power)


def _pad(tokens: Tokens, chosen: np.ndarray, ids: Int64[np.ndarray, "batch length"]) -> Batch:
    """Write the chosen rows into `ids`, which holds padding only."""
    mask = np.zeros_like(ids)
    types = None if tokens.types is None else np.zeros_like(ids)
    for row, offset in enumerate(chosen):
        own = tokens.ids[offset]
        ids[row, : len(own)] = own
        mask[row, : len(own)] = 1
        if types is not None and tokens.types is not None:
            types[row, : len(own)] = tokens.types[offset]
    mask[len(chosen) :, 0] = 1  # rows that only round the shape see one padding token: no division by zero
    pool = mask.copy()
    if tokens.skip:
        heads = [at for at, row in enumerate(chosen) if row == 0 or tokens.owner[row - 1] != tokens.owner[row]]
        pool[heads, : tokens.skip] = 0
        empty = pool.sum(1) == 0  # a text that is nothing but its prompt is pooled over all of it
        pool[empty] = mask[empty]
    return Batch(ids=ids, mask=mask, pool=pool, types=types, rows=len(chosen))
