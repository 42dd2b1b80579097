"""One bit per dimension: the bits of a text are spent on the principal axes of the sample, most on the strongest.

The plain way, the sign of each dimension, leaves more than twice the squared error in the mean (bench/RESULTS.md,
`codecs.binary.error`): dimensions repeat each other, and a sign knows no size. Here a vector is standardised, turned
onto the axes that `allotment` finds, and each axis is written as a whole number of 0 to 6 bits. What is decoded is a
linear function of the bits, so that a head folds rotation and steps into its weights and reads the bits themselves.
This is classical transform coding: Huang and Schultheiss, "Block quantization of correlated Gaussian random variables",
1963.

Rows are no Hamming codes: compare decoded vectors, not bits.
"""

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, ClassVar, Final, Self

import numpy as np
from jaxtyping import Float32, Float64, Int32, UInt8

from embank.arrays import Matrix, PerDimension, Rows, Vectors, Whole
from embank.codecs.allotment import MOST_BITS, cut
from embank.codecs.calibration import Calibrated, Calibration, frozen, spread, stored
from embank.codecs.guards import checked_rows, checked_sample, checked_vectors
from embank.codecs.registry import register
from embank.errors import UsageError

_AXIS_UNIT: Final = 2.0**20
"""Axes are stored as whole numbers of 2**-20, and standardised vectors are rounded to 2**-14 and end at +-64. Then all
sums in the rotation are whole numbers below 2**53 for any width up to 2**26 (Cauchy and Schwarz), float64 adds them
without rounding, and a text has the same bits in whatever order a machine adds: alone, in a batch, on any processor."""

_NUMBER_UNIT: Final = 2.0**14
_NUMBER_END: Final = 64.0

_DECODED_BITS: Final = 40
"""What a bit adds to a dimension is rounded to so many bits for decoding: sums over a width up to 2**13 are then exact
in float64 too, and a text decodes to the same float32 numbers in any batch."""

_BLOCK: Final = 4096
"""Texts rotated at a time, which bounds the memory for float64."""


@register
@dataclass(kw_only=True, frozen=True, eq=False)
class Binary(Calibrated):
    """`x = centre + scale * axes @ (step * (level + 1/2))`, where `level` is what an axis' bits say.

    Attributes:
        centre: mean of the sample, `[width]`.
        scale: standard deviation of the sample, `[width]`, positive.
        axes: principal axes of the standardised sample in units of 2**-20, `[width, axes]`; those with bits only.
        step: along each axis, in standard deviations, `[axes]`, positive.
        bits: of each axis, `[axes]`, 1 to 6, `width` in all.
    """

    centre: PerDimension
    scale: PerDimension
    axes: Int32[np.ndarray, "width axes"]
    step: Float32[np.ndarray, " axes"]
    bits: UInt8[np.ndarray, " axes"]
    name: ClassVar[str] = "binary"
    dtype: ClassVar[np.dtype[Any]] = np.dtype("u1")
    bits_per_number: ClassVar[int] = 1
    lowest: ClassVar[int] = 0
    highest: ClassVar[int] = 1

    @classmethod
    def calibrate(cls, sample: Vectors) -> Self:
        """Learn centre, axes and steps from a sample; some thousand texts of the corpus itself do best.

        A few hundred texts, or texts of another kind, cost some accuracy, but stay ahead of signs
        (bench/log/2026-11.md).

        Raises:
            UsageError: an empty sample, or numbers that are not finite.
        """
        exact = checked_sample(sample, cls.name).astype(np.float64)
        centre = exact.mean(axis=0)
        scale = spread(exact.std(axis=0), centre)
        seed = int.from_bytes(blake2b(centre.tobytes(), digest_size=8).digest())
        found = cut((exact - centre) / scale, seed)
        return cls(
            centre=frozen(centre, np.float32),
            scale=frozen(scale, np.float32),
            axes=frozen(np.rint(found.directions * _AXIS_UNIT), np.int32),
            step=frozen(found.step, np.float32),
            bits=frozen(found.bits, np.uint8),
        )

    @classmethod
    def restore(cls, width: int, calibration: Calibration) -> Self:
        """Make the codec again that gave this calibration.

        Raises:
            UsageError: the arrays are not those of a binary codec of this width.
        """
        axes = len(calibration.get("bits", ()))
        shapes = {"centre": (width,), "scale": (width,), "axes": (width, axes), "step": (axes,), "bits": (axes,)}
        stored(calibration, cls.name, shapes)
        bits = frozen(calibration["bits"], np.uint8)
        if bits.sum() != width or bits.max(initial=0) > MOST_BITS:
            raise UsageError(
                f"the stored calibration of codec {cls.name!r} spends {bits.sum()} bits, expected {width} in all and "
                f"at most {MOST_BITS} for an axis; calibrate again and encode the column anew"
            )
        return cls(
            centre=frozen(calibration["centre"], np.float32),
            scale=frozen(calibration["scale"], np.float32),
            axes=frozen(calibration["axes"], np.int32),
            step=frozen(calibration["step"], np.float32),
            bits=bits,
        )

    @property
    def width(self) -> int:
        """Numbers in a vector, and bits in a row."""
        return len(self.centre)

    @property
    def cells(self) -> int:
        """Bytes of a row."""
        return -(-len(self.centre) // 8)

    def calibration(self) -> Calibration:
        """Return the five arrays of the class."""
        return {"centre": self.centre, "scale": self.scale, "axes": self.axes, "step": self.step, "bits": self.bits}

    def encode(self, vectors: Vectors) -> Rows:
        """Return `[texts, cells]` uint8: the axes' levels, strongest axis and highest bit first, then zeros.

        Raises:
            UsageError: another width, or numbers that are not finite.
        """
        checked = checked_vectors(vectors, self.width, self.name)
        rows = np.empty((len(checked), self.cells), dtype=self.dtype)
        for start in range(0, len(checked), _BLOCK):
            part = slice(start, start + _BLOCK)
            levels = self._levels(checked[part])
            rows[part] = np.packbits(levels[:, self._axis_of_bit] >> self._place_of_bit & 1, axis=1)
        return rows

    def decode(self, rows: Rows) -> Vectors:
        """Return `[texts, width]` float32: the middle of the cell that the bits name.

        Raises:
            UsageError: rows of another codec or width.
        """
        bits = self.whole(rows)
        whole, unit, base = self._decoder
        vectors = np.empty((len(bits), self.width), np.float32)
        for start in range(0, len(bits), _BLOCK):
            part = slice(start, start + _BLOCK)
            vectors[part] = bits[part].astype(np.float64) @ whole * unit + base
        return vectors

    def raw(self, rows: Rows) -> Vectors:
        """Return the bits as float32 `[texts, width]`, zeros and ones.

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
        return np.unpackbits(checked, axis=1, count=self.width).view(np.int8)

    def fold(
        self, weights: Matrix, bias: Float32[np.ndarray, " outputs"]
    ) -> tuple[Matrix, Float32[np.ndarray, " outputs"]]:
        """Return weights and bias that read raw rows: one weight for each bit, rotation and steps included."""
        exact = weights.astype(np.float64)
        return (self._per_bit @ exact).astype(np.float32), (bias + self._base @ exact).astype(np.float32)

    def _levels(self, vectors: Vectors) -> UInt8[np.ndarray, "texts axes"]:
        """Return the cell of each text on each axis, counted from the lowest."""
        with np.errstate(over="ignore"):  # a number far outside the sample may become infinity here; it ends at 64
            standard = np.clip((vectors - self.centre) / self.scale, -_NUMBER_END, _NUMBER_END)
        turned = np.rint(standard.astype(np.float64) * _NUMBER_UNIT) @ self._whole_axes
        cells = np.floor(turned / (self.step.astype(np.float64) * (_AXIS_UNIT * _NUMBER_UNIT)))
        half = self._halves
        levels: UInt8[np.ndarray, "texts axes"] = (np.clip(cells, -half, half - 1) + half).astype(np.uint8)
        return levels

    @cached_property
    def _whole_axes(self) -> Float64[np.ndarray, "width axes"]:
        """Whole numbers, as float64 because that is what matrix products are fast in."""
        return self.axes.astype(np.float64)

    @cached_property
    def _halves(self) -> Float64[np.ndarray, " axes"]:
        """Half of the number of levels of each axis."""
        return np.exp2(self.bits - 1.0)

    @cached_property
    def _axis_of_bit(self) -> Int32[np.ndarray, " width"]:
        """Which axis each bit of a row belongs to."""
        return np.repeat(np.arange(len(self.bits), dtype=np.int32), self.bits)

    @cached_property
    def _place_of_bit(self) -> UInt8[np.ndarray, " width"]:
        """How far each bit of a row stands from the lowest of its axis."""
        return np.concatenate([np.arange(bits - 1, -1, -1, dtype=np.uint8) for bits in self.bits.tolist()])

    @cached_property
    def _steps(self) -> Float64[np.ndarray, "axes width"]:
        """What one step along each axis adds to a vector."""
        steps: Float64[np.ndarray, "axes width"] = (self._whole_axes / _AXIS_UNIT * self.step).T * self.scale
        return steps

    @cached_property
    def _per_bit(self) -> Float64[np.ndarray, "width width"]:
        """What each bit of a row adds to a vector."""
        places = np.exp2(self._place_of_bit.astype(np.float64))
        added: Float64[np.ndarray, "width width"] = self._steps[self._axis_of_bit] * places[:, None]
        return added

    @cached_property
    def _base(self) -> Float64[np.ndarray, " width"]:
        """The vector of a row of zeros."""
        lowest: Float64[np.ndarray, " width"] = self.centre + (0.5 - self._halves) @ self._steps
        return lowest

    @cached_property
    def _decoder(self) -> tuple[Float64[np.ndarray, "width width"], float, Float64[np.ndarray, " width"]]:
        """What each bit adds, as whole numbers of one unit, the unit, and the vector of a row of zeros."""
        unit = 2.0 ** (np.ceil(np.log2(np.abs(self._per_bit).max())) - _DECODED_BITS)
        return np.rint(self._per_bit / unit), unit, self._base
