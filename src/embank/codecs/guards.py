"""Checks of a codec's input: its width, and that all numbers are finite."""

from typing import Any

import numpy as np
from jaxtyping import Shaped

from embank.arrays import Rows, Vectors
from embank.errors import UsageError


def checked_vectors(vectors: Shaped[np.ndarray, "..."], width: int, codec: str) -> Vectors:
    """Return the vectors as float32 `[texts, width]`.

    Raises:
        UsageError: another shape, or NaN or infinity, which would turn into a plausible number in int8 and binary.
    """
    if vectors.ndim != 2 or vectors.shape[1] != width:  # noqa: PLR2004 - texts by width
        raise UsageError(f"codec {codec!r} takes vectors of shape [texts, {width}], found {list(vectors.shape)}")
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinity, and is refused below
        single = vectors.astype(np.float32, copy=False)
    if not np.isfinite(single).all():
        bad = np.flatnonzero(~np.isfinite(single).all(axis=1))
        raise UsageError(
            f"{len(bad)} of {len(single)} vectors hold NaN or infinity (the first at row {bad[0]}): "
            f"codec {codec!r} stores finite numbers only; leave these texts out"
        )
    return single


def checked_sample(sample: Shaped[np.ndarray, "..."], codec: str) -> Vectors:
    """Return the sample as float32 `[texts, width]` with at least one text.

    Raises:
        UsageError: no text, another shape, or NaN or infinity.
    """
    if sample.ndim != 2 or 0 in sample.shape:  # noqa: PLR2004 - texts by width
        raise UsageError(
            f"codec {codec!r} is calibrated on vectors of shape [texts, width] with at least one text, "
            f"found {list(sample.shape)}"
        )
    return checked_vectors(sample, sample.shape[1], codec)


def checked_rows(rows: Shaped[np.ndarray, "..."], dtype: np.dtype[Any], cells: int, codec: str) -> Rows:
    """Return the rows as they are, `[texts, cells]`.

    Raises:
        UsageError: another shape or dtype: these rows were written by another codec, or for another width.
    """
    if rows.ndim != 2 or rows.shape[1] != cells or rows.dtype != dtype:  # noqa: PLR2004 - texts by cells
        raise UsageError(
            f"codec {codec!r} reads rows of shape [texts, {cells}] and dtype {dtype}, "
            f"found {list(rows.shape)} and {rows.dtype}"
        )
    return rows
