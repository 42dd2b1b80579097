"""Two texts that were encoded apart, as one input of a head."""

import numpy as np
from jaxtyping import Float32

from embank.arrays import Vectors


def paired(first: Vectors, second: Vectors) -> Float32[np.ndarray, "texts paired"]:
    """Vectors u and v as [u, v, |u - v|, u * v] (Conneau et al. 2017, InferSent, section 3.1)."""
    return np.hstack([first, second, np.abs(first - second), first * second])
