"""Datasets of a training loop: batches of examples as (inputs, targets), in an order that a seed decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from jaxtyping import Int64

from embank.arrays import Vectors
from embank.encoders.batching import rounded_length

_BUCKET = 16
"""Batches whose examples are sorted by length among themselves: less padding, still a random order."""

Inputs = dict[str, torch.Tensor]
"""What a module is called with, by the names of its arguments."""

Which = Int64[np.ndarray, " batch"]
"""Numbers of examples."""

T = TypeVar("T")


class Objective(Protocol[T]):
    """Targets of examples, and the loss that compares a module's outputs with them."""

    def targets(self, which: Which, length: int) -> T:
        """Targets of some examples, padded to `length` where they are per token."""
        ...

    def loss(self, outputs: Any, targets: T) -> torch.Tensor:  # outputs are whatever the module gives
        """One number out of a module's outputs for a batch and its targets."""
        ...


class InputSource(Protocol):
    """Examples as a module reads them, by number."""

    @property
    def lengths(self) -> Int64[np.ndarray, " examples"]:
        """Tokens of each example."""
        ...

    def inputs(self, which: Which) -> Inputs:
        """Inputs of some examples, padded to one length; `pool` `[rows, length]` is among them."""
        ...


class Dataset(Protocol[T]):
    """Examples to train on, and the loss of a module on them."""

    @property
    def lengths(self) -> Int64[np.ndarray, " examples"]:
        """Tokens of each example."""
        ...

    def __getitem__(self, which: Which) -> tuple[Inputs, T]:
        """Inputs and targets of a batch."""
        ...

    def loss(self, outputs: Any, targets: T) -> torch.Tensor:  # outputs are whatever the module gives
        """One number out of a module's outputs for a batch and its targets; training makes it small."""
        ...


@dataclass(frozen=True, eq=False)
class LabelledDataset(Generic[T]):
    """Inputs of examples with their targets.

    Attributes:
        inputs: of all examples.
        objective: their targets and the loss.
        chosen: the examples that are in the dataset, numbered anew from 0; None: all of them.
    """

    inputs: InputSource
    objective: Objective[T]
    chosen: Which | None = None

    @property
    def lengths(self) -> Int64[np.ndarray, " examples"]:
        """Tokens of each example."""
        lengths = self.inputs.lengths
        return lengths if self.chosen is None else np.asarray(lengths[self.chosen], np.int64)

    def __getitem__(self, which: Which) -> tuple[Inputs, T]:
        """Inputs and targets of a batch."""
        which = which if self.chosen is None else self.chosen[which]
        inputs = self.inputs.inputs(which)
        return inputs, self.objective.targets(which, inputs["pool"].shape[-1])

    def loss(self, outputs: Any, targets: T) -> torch.Tensor:  # outputs are whatever the module gives
        """The objective's loss."""
        return self.objective.loss(outputs, targets)


def shuffled_batches(lengths: Int64[np.ndarray, " examples"], batch: int, seed: Sequence[int]) -> list[np.ndarray]:
    """Put examples into batches of similar length, in a random order.

    >>> [part.tolist() for part in shuffled_batches(np.array([9, 1, 8, 2]), 2, [0])]
    [[2, 0], [1, 3]]
    """
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(lengths))
    batches: list[np.ndarray] = []
    for start in range(0, len(shuffled), batch * _BUCKET):
        bucket = shuffled[start : start + batch * _BUCKET]
        bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
        batches += [bucket[at : at + batch] for at in range(0, len(bucket), batch)]
    return [batches[at] for at in random.permutation(len(batches))]


def batches_by_length(lengths: Int64[np.ndarray, " examples"], budget: int) -> list[np.ndarray]:
    """Examples in batches of at most `budget` tokens, padding included, the longest first: to predict them all.

    >>> [part.tolist() for part in batches_by_length(np.array([3, 40, 5]), 64)]
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


def padded_states(blocks: Sequence[Vectors], skip: int) -> Inputs:
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
    inputs = {"states": states, "mask": mask, "pool": pool_mask(mask, skip)}
    return {name: torch.from_numpy(array) for name, array in inputs.items()}


def pool_mask(mask: Int64[np.ndarray, "batch length"], skip: int) -> Int64[np.ndarray, "batch length"]:
    """Where pooling looks, `[batch, length]`: at every token but `skip` at the head of a text.

    A text that is nothing but its prompt is pooled over all of it.
    """
    pool = mask.copy()
    pool[:, :skip] = 0
    empty = pool.sum(1) == 0
    pool[empty] = mask[empty]
    return pool
