"""What a training loop is given: examples by number, as padded batches, in an order that a seed decides."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Int64

from embank.arrays import Vectors
from embank.encoders.batching import rounded_length

_BUCKET = 16
"""Batches whose examples are sorted by length among themselves: less padding, still a random order."""

Inputs = dict[str, torch.Tensor]
"""What a module is called with, by the names of its arguments."""


class Lessons(Protocol):
    """Examples to train on, or to score."""

    @property
    def lengths(self) -> Int64[np.ndarray, " examples"]:
        """Tokens of each example."""
        ...

    def inputs(self, which: Int64[np.ndarray, " batch"]) -> Inputs:
        """What the module reads of some examples, padded to one length."""
        ...

    def targets(self, which: Int64[np.ndarray, " batch"], length: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What it should say of them; per token for `length` positions, where the kind of task asks for that.

        With it, where spans may stand, or None.
        """
        ...


def order(lengths: Int64[np.ndarray, " examples"], batch: int, seed: Sequence[int]) -> list[np.ndarray]:
    """Deal examples into batches of similar length, in a random order.

    >>> [part.tolist() for part in order(np.array([9, 1, 8, 2]), 2, [0])]
    [[2, 0], [1, 3]]
    """
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(lengths))
    dealt: list[np.ndarray] = []
    for start in range(0, len(shuffled), batch * _BUCKET):
        bucket = shuffled[start : start + batch * _BUCKET]
        bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
        dealt += [bucket[at : at + batch] for at in range(0, len(bucket), batch)]
    return [dealt[at] for at in random.permutation(len(dealt))]


def in_stretches(lengths: Int64[np.ndarray, " examples"], budget: int) -> list[np.ndarray]:
    """Examples in batches of at most `budget` tokens, padding included, the longest first: to predict them all.

    >>> [part.tolist() for part in in_stretches(np.array([3, 40, 5]), 64)]
    [[1], [2, 0]]
    """
    longest_first = np.argsort(-lengths, kind="stable")
    batches = []
    start = 0
    while start < len(longest_first):
        size = max(1, budget // rounded_length(max(1, int(lengths[longest_first[start]]))))
        batches.append(longest_first[start : start + size])
        start += size
    return batches


def padded(blocks: Sequence[Vectors], skip: int) -> Inputs:
    """States of several texts as one batch.

    Args:
        blocks: `[tokens, width]` of each text.
        skip: how many positions at the head of a text pooling leaves out.

    Returns:
        `states` `[batch, length, width]` float32, `mask` and `pool` `[batch, length]` int64.
    """
    lengths = [len(block) for block in blocks]
    length = rounded_length(max(1, *lengths))
    states = np.zeros((len(blocks), length, blocks[0].shape[1]), np.float32)
    mask = np.zeros((len(blocks), length), np.int64)
    for at, block in enumerate(blocks):
        states[at, : len(block)] = block
        mask[at, : len(block)] = 1
    pool = mask.copy()
    pool[:, :skip] = 0
    empty = pool.sum(1) == 0  # a text that is nothing but its prompt is pooled over all of it
    pool[empty] = mask[empty]
    return {name: torch.from_numpy(array) for name, array in (("states", states), ("mask", mask), ("pool", pool))}
