"""How many bits each axis gets when every text has as many bits as dimensions: more where the variance is."""

from typing import Final

import numpy as np
from jaxtyping import Float64, UInt8

DISTORTION: Final = np.array([1.0, 0.3634, 0.1188, 0.0374, 0.01154, 0.00349, 0.00104])
"""Mean squared error that a uniform quantiser of 0, 1, ... 6 bits leaves of a normal variable of variance 1.

Max, "Quantizing for minimum distortion", 1960, table II."""

STEP: Final = np.array([np.nan, 1.596, 0.9957, 0.5860, 0.3352, 0.1881, 0.1041])
"""The step with which it does so, in standard deviations; the same table."""

MOST_BITS: Final = len(DISTORTION) - 1


def allotted(variances: Float64[np.ndarray, " axes"], budget: int) -> UInt8[np.ndarray, " axes"]:
    """Give bits one by one, each to the axis where it takes away the most error (reverse water-filling).

    Greedy is optimal here, because every further bit on an axis takes away less than the one before.

    Args:
        variances: of the axes; ties go to the earlier axis.
        budget: bits to give, at most `MOST_BITS` for each axis.
    """
    bits = np.zeros(len(variances), dtype=np.uint8)
    saved = np.append(DISTORTION[:-1] - DISTORTION[1:], -1.0)  # nothing is left to gain beyond the last row
    for _ in range(budget):
        bits[np.argmax(variances * saved[bits])] += 1
    return bits
