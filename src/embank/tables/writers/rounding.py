"""Numbers for people: six significant digits, many at a time."""

from typing import Any

import numpy as np

_DIGITS = 6
#: Powers of ten are exact in float64 up to this one, so that a quotient by them prints as short as it should.
_EXACT = 22


def six_digits(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Round to six significant digits, as float64, whose shortest text then has no more than those.

    >>> six_digits(np.array([1 / 3, 2e6 / 3, 0.0], dtype=np.float32)).tolist()
    [0.333333, 666667.0, 0.0]
    """
    exact = values.astype(np.float64)
    finite = np.isfinite(exact) & (exact != 0)
    power = np.zeros(exact.shape)
    power[finite] = _DIGITS - 1 - np.floor(np.log10(np.abs(exact[finite])))
    near = finite & (np.abs(power) <= _EXACT)
    scale = np.power(10.0, np.abs(np.where(near, power, 0)))
    rounded = np.where(power >= 0, np.rint(exact * scale) / scale, np.rint(exact / scale) * scale)
    far = finite & ~near
    rounded[far] = [float(f"{value:.{_DIGITS}g}") for value in exact[far].tolist()]
    return np.where(finite, rounded, exact)
