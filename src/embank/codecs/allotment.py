"""How the bits of a text are shared among axes: as many bits as dimensions, more of them where the variance is."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float64, UInt8

from embank.linalg.rotations import Axes, principal_axes, random_rotation

DISTORTION: Final = np.array([1.0, 0.3634, 0.1188, 0.0374, 0.01154, 0.00349, 0.00104])
"""Mean squared error that a uniform quantiser of 0, 1, ... 6 bits leaves of a normal variable of variance 1.

Max, "Quantizing for minimum distortion", 1960, table II; its rows of 2, 4, ... 32 levels, and 64 in the same way."""

STEP: Final = np.array([np.nan, 1.596, 0.9957, 0.5860, 0.3352, 0.1881, 0.1041])
"""The step with which it does so, in standard deviations; the same table."""

MOST_BITS: Final = len(DISTORTION) - 1

_LEAST_VARIANCE: Final = 1e-12
"""Below this, where a dimension has a variance of one, an axis counts as constant; it keeps a step that can divide."""


@dataclass(frozen=True, eq=False)
class Cuts:
    """Axes, and how finely each is cut; those without bits are left out.

    Attributes:
        directions: orthonormal, one axis per column, `[width, axes]`.
        step: size of a cell along each axis, `[axes]`, positive.
        bits: of each axis, `[axes]`, at least 1; it has `2**bits` cells, as many on either side of zero.
    """

    directions: Float64[np.ndarray, "width axes"]
    step: Float64[np.ndarray, " axes"]
    bits: UInt8[np.ndarray, " axes"]


def cut(sample: Float64[np.ndarray, "texts width"], seed: int) -> Cuts:
    """Find axes and cells for a sample, one bit per dimension in all.

    Args:
        sample: standardised vectors.
        seed: of the random turn; another one for each column.
    """
    axes = principal_axes(sample)
    bits = allotted(np.maximum(axes.variances, _LEAST_VARIANCE), len(axes.variances))
    turned = _mixed(axes, bits, seed)
    used = bits > 0
    deviations = np.sqrt(np.maximum(turned.variances[used], _LEAST_VARIANCE))
    return Cuts(turned.directions[:, used], STEP[bits[used]] * deviations, bits[used])


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


def _mixed(axes: Axes, bits: UInt8[np.ndarray, " width"], seed: int) -> Axes:
    """Turn the axes that have equally many bits among each other, at random.

    Measured (bench/log/2026-11.md): no change for a head that reads one column, half a point more for one that reads
    four whose codecs know the corpus. The likely reason: layers of one encoder share their strongest directions; cut
    alike, they would repeat each other's errors, which a head that reads several could then not average out.
    """
    directions, variances = axes.directions.copy(), axes.variances.copy()
    for count in np.unique(bits):
        group = np.flatnonzero(bits == count)
        rotation = random_rotation(len(group), seed)
        directions[:, group] = directions[:, group] @ rotation
        variances[group] = variances[group] @ rotation**2
    return Axes(directions, variances)
