"""Stratified fold assignment from a hash of each row, so that the order of rows does not matter.

A row's place in its class is the order of the rows' hashes, so that shuffled rows give the same folds, and equal rows
share a fold (a duplicate held back while its twin is trained on would flatter the score).
"""

from hashlib import blake2b

import numpy as np
from jaxtyping import Float32, Int64

from embank.arrays import Vectors

# A row that is never held back: the only one of its class.
NEVER = -1


def assign_folds(X: Vectors, strata: Int64[np.ndarray, " texts"], folds: int) -> Int64[np.ndarray, " texts"]:
    """Assign rows to folds, class by class.

    A class of one distinct row is never held back, since nothing would be left to learn it from; smaller classes than
    folds are spread over as many folds as they have rows.

    Args:
        X: float32 `[texts, width]`.
        strata: int `[texts]`, the class of each row.
        folds: how many.

    Returns:
        int64 `[texts]`, the fold in which a row is held back, or -1.
    """
    keys = np.array([int.from_bytes(blake2b(row, digest_size=7).digest(), "big") for row in np.ascontiguousarray(X)])
    fold = np.full(len(keys), NEVER, dtype=np.int64)
    dealt = 0
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        distinct, place = np.unique(keys[members], return_inverse=True)
        if distinct.size > 1:
            fold[members] = (place + dealt) % folds
            dealt += distinct.size
    return fold


def training_weights(
    fold: Int64[np.ndarray, " texts"], importance: Float32[np.ndarray, "each texts"], folds: int
) -> Float32[np.ndarray, "folds each texts"]:
    """Row weights for training without each fold; they sum to one along texts."""
    kept = fold[None, :] != np.arange(folds)[:, None]
    weights = kept[:, None, :] * importance[None]
    shares: Float32[np.ndarray, "folds each texts"] = weights / weights.sum(axis=-1, keepdims=True)
    return shares


def rarest(Y: Float32[np.ndarray, "texts labels"]) -> Int64[np.ndarray, " texts"]:
    """For a 0/1 matrix of labels, the stratum of a row: its rarest label, or one stratum of their own for none."""
    counts = Y.sum(axis=0)
    cost = np.where(Y > 0, counts, np.inf)
    strata: Int64[np.ndarray, " texts"] = np.where(Y.any(axis=1), cost.argmin(axis=1), Y.shape[1])
    return strata
