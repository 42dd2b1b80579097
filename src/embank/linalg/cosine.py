"""Cosine similarity of two vectors, the only similarity that is used: higher is closer."""

from typing import Final

import numpy as np
from jaxtyping import Float32, Float64

from embank.arrays import Vectors

SLACK: Final = 2e-5
"""By how much a float32 product of two unit vectors may be off: far more than was ever seen, in sums of a thousand."""

_SAFE: Final = 1e-25
"""Squared lengths above this, and below one over it, are exact enough in float32."""


def unit(vectors: Vectors) -> Vectors:
    """Scale vectors to length one; a vector of zeros stays as it is, and is like nothing.

    Returns:
        `[texts, width]` float32, a copy.
    """
    with np.errstate(over="ignore", under="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors)
    extreme = ~((squares > _SAFE) & (squares < 1 / _SAFE))
    if extreme.any():  # float32 has no room for these squares; zeros come this way too
        exact = np.square(vectors[extreme].astype(np.float64)).sum(axis=1)
        scaled = vectors.astype(np.float64)
        scaled[extreme] /= np.where(exact > 0, np.sqrt(exact), 1.0)[:, None]
        scaled[~extreme] /= np.sqrt(squares[~extreme])[:, None]
        return scaled.astype(np.float32)
    whole: Vectors = vectors * (1 / np.sqrt(squares))[:, None]
    return whole


def lengths(vectors: Vectors) -> Float32[np.ndarray, " texts"]:
    """Lengths, added up in double precision and then rounded; infinity where float32 has no room.

    >>> lengths(np.array([[3, 4], [0, 0]], np.float32)).tolist()
    [5.0, 0.0]
    """
    exact = vectors.astype(np.float64)
    with np.errstate(over="ignore"):
        found: Float32[np.ndarray, " texts"] = np.sqrt(np.einsum("ij,ij->i", exact, exact)).astype(np.float32)
    return found


def cosines(left: Vectors, right: Vectors) -> Float64[np.ndarray, " pairs"]:
    """The cosine of each pair of rows, in double precision; 0 where one of the two is all zeros.

    A pair's number depends on its own two rows alone, not on how many pairs stand beside it.
    """
    one, other = left.astype(np.float64), right.astype(np.float64)
    lengths = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
    found: Float64[np.ndarray, " pairs"] = (one * other).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
    return found.clip(-1.0, 1.0)
