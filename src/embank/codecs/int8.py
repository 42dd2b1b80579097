"""One byte a number: a step and an offset for each dimension, learned once and stored."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from jaxtyping import Float32

from embank.arrays import Matrix, PerDimension, Rows, Vectors, Whole
from embank.codecs.calibration import Calibration, digest, frozen, spread, stored
from embank.codecs.guards import checked_rows, checked_sample, checked_vectors

_TOP: Final = 127
"""The largest code. -128 stays unused: codes are symmetric around the offset."""

_PERCENTILE: Final = 99.99
"""The calibrated range leaves out one number in 10,000 on each side, so that one freak text in a large sample cannot
widen the steps of all others. Below 10,000 texts it is all but the range of the sample. Measured on 13 tasks, 100,
99.99, 99.9 and 99.5 differ by less than the noise (bench/RESULTS.md)."""


@dataclass(frozen=True, eq=False)
class Int8:
    """`code = round((x - offset) / scale)`, saturated at +-127; `x = code * scale + offset`.

    Inside `offset +- 127 * scale` the error is at most half a step, and float32's own rounding.

    Attributes:
        scale: one step, `[width]`, positive.
        offset: the middle of the calibrated range, `[width]`.
    """

    scale: PerDimension
    offset: PerDimension
    name: ClassVar[str] = "int8"
    dtype: ClassVar[np.dtype[Any]] = np.dtype("i1")

    @classmethod
    def calibrate(cls, sample: Vectors) -> "Int8":
        """Learn each dimension's range from a sample; a few hundred texts do.

        A dimension that is constant in the sample gets the median step of the others: its constant is stored
        exactly, and a later text that differs is not lost.

        Raises:
            UsageError: an empty sample, or numbers that are not finite.
        """
        checked = checked_sample(sample, cls.name)
        low, high = np.percentile(checked.astype(np.float64), [100 - _PERCENTILE, _PERCENTILE], axis=0)
        offset = (low + high) / 2
        scale = spread((high - low) / (2 * _TOP), offset)
        return cls(frozen(scale, np.float32), frozen(offset, np.float32))

    @classmethod
    def restore(cls, width: int, calibration: Calibration) -> "Int8":
        """Make the codec again that gave this calibration.

        Raises:
            UsageError: the arrays are not those of an int8 codec of this width.
        """
        stored(calibration, cls.name, {"scale": (width,), "offset": (width,)})
        return cls(frozen(calibration["scale"], np.float32), frozen(calibration["offset"], np.float32))

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return len(self.scale)

    @property
    def cells(self) -> int:
        """Bytes of a row."""
        return len(self.scale)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return len(self.scale)

    @property
    def calibration_digest(self) -> str:
        """Hash of what was learned."""
        return digest(self.calibration())

    def calibration(self) -> Calibration:
        """Return `scale` and `offset`, both float32 `[width]`."""
        return {"scale": self.scale, "offset": self.offset}

    def encode(self, vectors: Vectors) -> Rows:
        """Return `[texts, width]` int8, rounded half to even, saturated, never wrapped.

        Raises:
            UsageError: another width, or numbers that are not finite.
        """
        checked = checked_vectors(vectors, self.width, self.name)
        with np.errstate(over="ignore"):  # a number far outside the range may become infinity here; it saturates
            steps = np.rint((checked - self.offset) / self.scale)
        rows: Rows = np.clip(steps, -_TOP, _TOP).astype(self.dtype)
        return rows

    def decode(self, rows: Rows) -> Vectors:
        """Return `[texts, width]` float32.

        Raises:
            UsageError: rows of another codec or width.
        """
        vectors = self.raw(rows)
        vectors *= self.scale
        vectors += self.offset
        return vectors

    def raw(self, rows: Rows) -> Vectors:
        """Return the codes as float32 `[texts, width]`, without step and offset.

        Raises:
            UsageError: rows of another codec or width.
        """
        return self.whole(rows).astype(np.float32)

    def whole(self, rows: Rows) -> Whole:
        """Return what `raw` returns, as int8: the rows themselves.

        Raises:
            UsageError: rows of another codec or width.
        """
        return checked_rows(rows, self.dtype, self.cells, self.name)

    def fold(
        self, weights: Matrix, bias: Float32[np.ndarray, " outputs"]
    ) -> tuple[Matrix, Float32[np.ndarray, " outputs"]]:
        """Return weights and bias that read raw rows: the steps move into the weights, the offsets into the bias."""
        exact = weights.astype(np.float64)
        folded = self.scale[:, None] * exact
        return folded.astype(np.float32), (bias + self.offset @ exact).astype(np.float32)
