"""Which source a batch is taken from: shares by size and temperature, the same in every run with the same seed."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from embank.training.datasets import shuffled_batches


def shares(sizes: Sequence[int], temperature: float) -> Float64[np.ndarray, " sources"]:
    """How often each source is drawn; they sum to 1.

    Proportional to size ** (1 / temperature), as in multilingual and multi-task training: a high temperature gives
    small sources more weight.

    >>> shares([100, 10_000], 2.0).round(3).tolist()
    [0.091, 0.909]
    """
    # The largest is divided out first: a temperature near 0 would overflow.
    weights = (np.array(sizes, np.float64) / max(sizes)) ** (1.0 / temperature)
    found: Float64[np.ndarray, " sources"] = weights / weights.sum()
    return found


def mixed_batches(
    lengths: Sequence[Int64[np.ndarray, " examples"]], batch: int, temperature: float, seed: Sequence[int]
) -> list[np.ndarray]:
    """Batches of one pass, each of one source, in a random order.

    As many batches as all sources have together, dealt out by `shares`: a small source is gone through several times, a
    large one in part (and in another part in the next pass). Every source has at least one.

    Args:
        lengths: of each source's examples, in tokens.
        batch: examples in a batch.
        temperature: see `shares`.
        seed: of this pass.

    Returns:
        Numbers of examples, counted through all sources.
    """
    sizes = [len(own) for own in lengths]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    every = sum(-(-size // batch) for size in sizes)
    found: list[np.ndarray] = []
    for number, (own, share) in enumerate(zip(lengths, shares(sizes, temperature), strict=True)):
        wanted, turn = max(1, round(share * every)), 0
        own_batches: list[np.ndarray] = []
        while len(own_batches) < wanted:
            own_batches += shuffled_batches(own, batch, [*seed, number, turn])
            turn += 1
        found += [which + starts[number] for which in own_batches[:wanted]]
    random = np.random.default_rng(list(seed))
    return [found[at] for at in random.permutation(len(found))]
