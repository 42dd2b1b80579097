"""What a codec learns once, on a sample: named read-only arrays, stored beside the column, with a digest."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from hashlib import blake2b
from typing import ClassVar, TypeAlias

import numpy as np
from jaxtyping import Shaped
from numpy.typing import DTypeLike

from embank.arrays import Rows, Whole
from embank.errors import UsageError

Array: TypeAlias = Shaped[np.ndarray, "..."]
"""Of any shape and dtype."""

Calibration: TypeAlias = dict[str, Array]
"""Named arrays, as safetensors keeps them."""


class Calibrated(ABC):
    """A codec that learned something, and whose cells are bytes.

    Attributes:
        learns: it is calibrated on a sample.
        lowest: the smallest of the whole numbers that `whole` gives.
        highest: the largest.
    """

    learns: ClassVar[bool] = True
    lowest: ClassVar[int]
    highest: ClassVar[int]

    @property
    @abstractmethod
    def width(self) -> int:
        """Numbers in a vector."""

    @property
    @abstractmethod
    def cells(self) -> int:
        """Bytes of a row."""

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.cells

    @abstractmethod
    def whole(self, rows: Rows) -> Whole:
        """Return rows as whole numbers, int8 `[texts, width]`, which is what `raw` gives as float32."""

    @abstractmethod
    def calibration(self) -> Calibration:
        """Return what was learned."""

    @property
    def calibration_digest(self) -> str:
        """Hash of what was learned."""
        return digest(self.calibration())


def frozen(array: Array, dtype: DTypeLike) -> Array:
    """Return a read-only copy in one fixed dtype and order, so that no codec changes after it has written a row."""
    copy = np.array(array, dtype=dtype, order="C")
    copy.setflags(write=False)
    return copy


def digest(calibration: Mapping[str, Array]) -> str:
    """Hash names, shapes, dtypes and bytes: what decides a stored row besides the vector itself.

    Returns:
        32 hexadecimal digits of blake2b, or "" if nothing was learned.
    """
    if not calibration:
        return ""
    state = blake2b(digest_size=16)
    for name in sorted(calibration):
        array = np.ascontiguousarray(calibration[name])
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        # The lengths are fixed by the text before the bytes: two calibrations cannot run into each other.
        state.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        state.update(array.tobytes())
    return state.hexdigest()


def stored(calibration: Mapping[str, Array], codec: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse stored arrays that this codec did not write.

    Raises:
        UsageError: an array is missing, or has another shape, or is not finite.
    """
    for name, shape in shapes.items():
        if name not in calibration:
            raise UsageError(
                f"the stored calibration of codec {codec!r} lacks {name!r}: expected {sorted(shapes)}, "
                f"found {sorted(calibration)}; calibrate again and encode the column anew"
            )
        found = calibration[name]
        if found.shape != shape:
            raise UsageError(
                f"the stored calibration of codec {codec!r} has {name!r} of shape {found.shape}, expected {shape}; "
                "was it made for another width?"
            )
        if not np.isfinite(found).all():
            raise UsageError(f"the stored calibration of codec {codec!r} holds numbers in {name!r} that are not finite")


def spread(measured: Array, middle: Array) -> Array:
    """Return spreads of dimensions that can divide: a dimension that is constant gets the median of the others.

    So a later text that differs in a dimension that was constant in the sample is neither lost nor all there is.

    Args:
        measured: a spread for each dimension, zero or rounding noise where the sample is constant, `[width]`.
        middle: where the dimension lies, `[width]`; below float32's spacing there, a spread is rounding noise.
    """
    constant = measured <= np.spacing(np.abs(middle).astype(np.float32))
    return np.where(constant, 1.0 if constant.all() else np.median(measured[~constant]), measured)
