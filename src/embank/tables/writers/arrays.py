"""Columns of any kind that a writer takes, as Arrow arrays, and numbers rounded for people."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from embank.errors import InputError, UsageError
from embank.tables.contract import Values


def as_array(name: str, values: Values) -> pa.Array | pa.ChunkedArray:
    """Make an Arrow array of a column.

    Raises:
        InputError: the values are of several types, which a typed column cannot hold.
    """
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if isinstance(values, np.ndarray) and values.ndim > 1:
        values = list(values)
    try:
        return pa.array(values)
    except UnicodeEncodeError:
        return pa.array(_encodable(values))
    except (pa.ArrowException, OverflowError, TypeError) as mixed:
        reason = " ".join(str(mixed).split())
        raise InputError(f"column {name!r} does not fit one type ({reason}); write .jsonl, which takes any") from mixed


def _encodable(values: Values | str) -> Values | str:
    """Replace lone surrogates, which JSON can smuggle into a str and no file can hold."""
    if isinstance(values, str):
        return values.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(values, Sequence):
        return [_encodable(value) for value in values]
    return values


def same_names(before: Sequence[str], now: Mapping[str, Values]) -> None:
    """See that a block has the columns of the first.

    Raises:
        UsageError: it has others, or in another order.
    """
    if list(now) != list(before):
        raise UsageError(f"a block has the columns {', '.join(now)}; the first block had {', '.join(before)}")


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
