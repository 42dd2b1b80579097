"""Four bits a number, two in a byte: sixteen levels for each dimension, learned once and stored."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from jaxtyping import Float32

from embank.arrays import Matrix, PerDimension, Rows, Vectors, Whole
from embank.codecs.calibration import Calibration, digest, frozen, spread, stored
from embank.codecs.guards import checked_rows, checked_sample, checked_vectors

_TOP: Final = 15
"""The largest code; the smallest is 0."""

_PERCENTILE: Final = 99.5
"""With so few levels a narrow range serves better: one number in 200 on each side is stored as the last level."""


@dataclass(frozen=True, eq=False)
class Int4:
    """`code = round((x - low) / scale)`, saturated at 0 and 15; `x = code * scale + low`.

    Inside `low` to `low + 15 * scale` the error is at most half a step, and float32's own rounding. The codes of
    dimensions 2 i and 2 i + 1 are the low and the high half of byte i.

    Attributes:
        scale: one step, `[width]`, positive.
        low: what code 0 stands for, `[width]`.
    """

    scale: PerDimension
    low: PerDimension
    name: ClassVar[str] = "int4"
    dtype: ClassVar[np.dtype[Any]] = np.dtype("u1")

    @classmethod
    def calibrate(cls, sample: Vectors) -> "Int4":
        """Learn each dimension's range from a sample; a few hundred texts do.

        A dimension that is constant in the sample gets the median step of the others, its constant in the middle.

        Raises:
            UsageError: an empty sample, or numbers that are not finite.
        """
        checked = checked_sample(sample, cls.name)
        low, high = np.percentile(checked.astype(np.float64), [100 - _PERCENTILE, _PERCENTILE], axis=0)
        scale = spread((high - low) / _TOP, (low + high) / 2)
        low = np.where(high - low < scale, low - _TOP // 2 * scale, low)
        return cls(frozen(scale, np.float32), frozen(low, np.float32))

    @classmethod
    def restore(cls, width: int, calibration: Calibration) -> "Int4":
        """Make the codec again that gave this calibration.

        Raises:
            UsageError: the arrays are not those of an int4 codec of this width.
        """
        stored(calibration, cls.name, {"scale": (width,), "low": (width,)})
        return cls(frozen(calibration["scale"], np.float32), frozen(calibration["low"], np.float32))

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return len(self.scale)

    @property
    def cells(self) -> int:
        """Bytes of a row; the last one is half empty where the width is odd."""
        return (len(self.scale) + 1) // 2

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.cells

    @property
    def calibration_digest(self) -> str:
        """Hash of what was learned."""
        return digest(self.calibration())

    def calibration(self) -> Calibration:
        """Return `scale` and `low`, both float32 `[width]`."""
        return {"scale": self.scale, "low": self.low}

    def encode(self, vectors: Vectors) -> Rows:
        """Return `[texts, cells]` uint8, rounded half to even, saturated, never wrapped.

        Raises:
            UsageError: another width, or numbers that are not finite.
        """
        checked = checked_vectors(vectors, self.width, self.name)
        with np.errstate(over="ignore"):  # a number far outside the range may become infinity here; it saturates
            steps = np.rint((checked - self.low) / self.scale)
        codes = np.zeros((len(checked), 2 * self.cells), self.dtype)
        codes[:, : self.width] = np.clip(steps, 0, _TOP)
        rows: Rows = codes[:, ::2] | codes[:, 1::2] << 4
        return rows

    def decode(self, rows: Rows) -> Vectors:
        """Return `[texts, width]` float32.

        Raises:
            UsageError: rows of another codec or width.
        """
        vectors = self.raw(rows)
        vectors *= self.scale
        vectors += self.low
        return vectors

    def raw(self, rows: Rows) -> Vectors:
        """Return the codes as float32 `[texts, width]`, without step and range.

        Raises:
            UsageError: rows of another codec or width.
        """
        return self.whole(rows).astype(np.float32)

    def whole(self, rows: Rows) -> Whole:
        """Return what `raw` returns, as int8.

        Raises:
            UsageError: rows of another codec or width.
        """
        checked = checked_rows(rows, self.dtype, self.cells, self.name)
        codes = np.empty((len(checked), 2 * self.cells), np.int8)
        codes[:, ::2], codes[:, 1::2] = checked & _TOP, checked >> 4
        return codes if codes.shape[1] == self.width else np.ascontiguousarray(codes[:, : self.width])

    def fold(
        self, weights: Matrix, bias: Float32[np.ndarray, " outputs"]
    ) -> tuple[Matrix, Float32[np.ndarray, " outputs"]]:
        """Return weights and bias that read raw rows: the steps move into the weights, the ranges into the bias."""
        exact = weights.astype(np.float64)
        folded = self.scale[:, None] * exact
        return folded.astype(np.float32), (bias + self.low @ exact).astype(np.float32)
