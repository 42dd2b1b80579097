"""What estimators accept: finite float32 rows, and labels that fit them; refused otherwise, with what to do."""

import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import ArrayLike

from embank.arrays import Vectors
from embank.errors import HeadError


def vectors(X: ArrayLike, width: int | None = None) -> Vectors:
    """Check a design matrix and hand it out as contiguous float32.

    Args:
        X: anything numpy reads as `[texts, width]`.
        width: how wide it has to be, where that is known from fitting.

    Raises:
        HeadError: it is not two-dimensional, empty, not as wide as was fitted, or not finite.
    """
    array = np.asarray(X)
    if array.ndim != 2 or 0 in array.shape:
        raise HeadError(f"found vectors of shape {array.shape}, expected [texts, width] with at least one of each")
    if width is not None and array.shape[1] != width:
        raise HeadError(
            f"found vectors of width {array.shape[1]}, expected {width}; "
            "read the columns that the head was fitted on, in their order"
        )
    try:
        rows = np.ascontiguousarray(array, dtype=np.float32)
    except (TypeError, ValueError) as unfit:
        raise HeadError(f"found vectors of {array.dtype}, expected numbers; encode the texts first") from unfit
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise HeadError(f"found NaN or an infinite number in row {bad}, expected finite ones; encode that text again")
    return rows


def classes(y: ArrayLike, texts: int) -> tuple[Shaped[np.ndarray, " classes"], Shaped[np.ndarray, " texts"]]:
    """Class names, sorted, and for each text the number of its class.

    Raises:
        HeadError: there is not one label per text, or only one class.
    """
    labels = np.asarray(y)
    if labels.shape != (texts,):
        raise HeadError(f"found labels of shape {labels.shape}, expected ({texts},): one label per text")
    try:
        names, numbers = np.unique(labels, return_inverse=True)
    except TypeError as mixed:
        raise HeadError(
            "found labels of several types, expected all strings or all numbers; drop empty ones"
        ) from mixed
    if names.size < 2:
        raise HeadError(
            f"found one class only ({names[0]!s}), expected at least two; label some texts that are not {names[0]!s}"
        )
    return names, numbers


def indicator(Y: ArrayLike, texts: int) -> Shaped[np.ndarray, "texts labels"]:
    """A 0/1 matrix of labels as float32.

    Raises:
        HeadError: it is not a 0/1 matrix with a row for each text.
    """
    matrix = np.asarray(Y)
    if matrix.ndim != 2 or matrix.shape[0] != texts or matrix.shape[1] == 0:
        raise HeadError(f"found labels of shape {matrix.shape}, expected ({texts}, labels): a 0/1 matrix")
    if not np.isin(matrix, (0, 1)).all():
        raise HeadError("found labels other than 0 and 1, expected a 0/1 matrix; write 1 where a label applies")
    return matrix.astype(np.float32)


def numbers(y: ArrayLike, texts: int) -> Float[np.ndarray, " texts"]:
    """Finite target numbers as float64.

    Raises:
        HeadError: there is not one finite number per text.
    """
    try:
        targets = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as unfit:
        raise HeadError(f"found labels that are no numbers ({unfit}), expected numbers for a regression") from unfit
    if targets.shape != (texts,) or not np.isfinite(targets).all():
        raise HeadError(f"found labels of shape {targets.shape}, expected ({texts},) finite numbers")
    return targets
