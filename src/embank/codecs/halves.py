"""Float16 to float32 by moving bits, several times as fast as numpy's cast, and exact."""

from typing import Final

import numpy as np
from jaxtyping import Float16, Float32

_BLOCK: Final = 1 << 15
"""Numbers at a time: 64 KiB in and 128 KiB out stay in the cache between the three passes over them."""

_REBIAS: Final = np.float32(2.0**112)
"""The exponent's bias is 15 in float16 and 127 in float32."""

_KEEP: Final = np.int32(-0x70000001)
"""Bits 31 and 27..0. Extending the sign put copies of it into bits 30..28, where float32 has its upper exponent."""


def widened(halves: Float16[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """Return finite float16 numbers as float32, exactly, subnormals and signed zeros included.

    Shifting a float16's exponent and fraction by 13 gives the bits of a float32 that is 2**-112 times as large.
    numpy converts one number after the other here; these three passes are vectorised by every compiler.
    Infinity and NaN are not: the codec never stores them.

    Args:
        halves: float16 of any shape.

    Returns:
        A new float32 array of the same shape.
    """
    source = np.ascontiguousarray(halves).reshape(-1).view(np.int16)
    target = np.empty(source.size, dtype=np.float32)
    bits = target.view(np.int32)
    for start in range(0, source.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        bits[part] = source[part]
        np.left_shift(bits[part], 13, out=bits[part])
        np.bitwise_and(bits[part], _KEEP, out=bits[part])
        np.multiply(target[part], _REBIAS, out=target[part])
    return target.reshape(halves.shape)
