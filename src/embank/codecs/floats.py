"""Floating point rows: float32 as it is, float16 at half the bytes and a relative error of at most 2**-11."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float32 as Single

from embank.arrays import Matrix, Rows, Vectors
from embank.codecs.calibration import Calibration
from embank.codecs.guards import checked_rows, checked_vectors
from embank.codecs.halves import widened
from embank.codecs.registry import register


@dataclass(frozen=True)
class _Floats:
    """What the two have in common: nothing is learned, and a row's numbers are the vector's."""

    width: int
    name: ClassVar[str]
    dtype: ClassVar[np.dtype[Any]]
    bits_per_number: ClassVar[int]
    learns: ClassVar[bool] = False

    @classmethod
    def calibrate(cls, sample: Vectors) -> Self:
        """Return the codec for vectors as wide as those of the sample, which may be empty."""
        return cls(sample.shape[1])

    @classmethod
    def restore(cls, width: int, calibration: Calibration) -> Self:
        """Return the codec for this width; nothing was learned."""
        del calibration
        return cls(width)

    @property
    def cells(self) -> int:
        """Numbers in a row."""
        return self.width

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.width * self.dtype.itemsize

    @property
    def calibration_digest(self) -> str:
        """Nothing was learned."""
        return ""

    def calibration(self) -> Calibration:
        """Nothing was learned."""
        return {}

    def fold(
        self, weights: Matrix, bias: Single[np.ndarray, " outputs"]
    ) -> tuple[Matrix, Single[np.ndarray, " outputs"]]:
        """Return weights and bias as they are: a raw row is the decoded row."""
        return weights, bias


@register
@dataclass(frozen=True)
class Float32(_Floats):
    """Four bytes per number, exact."""

    name: ClassVar[str] = "float32"
    dtype: ClassVar[np.dtype[Any]] = np.dtype("<f4")
    bits_per_number: ClassVar[int] = 32

    def encode(self, vectors: Vectors) -> Rows:
        """Return `[texts, width]` float32, the vectors themselves.

        Raises:
            UsageError: another width, or numbers that are not finite.
        """
        return checked_vectors(vectors, self.width, self.name).astype(self.dtype, copy=False)

    def decode(self, rows: Rows) -> Vectors:
        """Return `[texts, width]` float32, without a copy.

        Raises:
            UsageError: rows of another codec or width.
        """
        return checked_rows(rows, self.dtype, self.cells, self.name)

    def raw(self, rows: Rows) -> Vectors:
        """Return what `decode` returns."""
        return self.decode(rows)


@register
@dataclass(frozen=True)
class Float16(_Floats):
    """Two bytes per number; relative error at most 2**-11, absolute at most 2**-25 below 2**-14; clipped at +-65504."""

    name: ClassVar[str] = "float16"
    dtype: ClassVar[np.dtype[Any]] = np.dtype("<f2")
    bits_per_number: ClassVar[int] = 16

    def encode(self, vectors: Vectors) -> Rows:
        """Return `[texts, width]` float16, rounded half to even; beyond the range, the largest float16.

        Raises:
            UsageError: another width, or numbers that are not finite.
        """
        largest = np.finfo(np.float16).max
        rows: Rows = np.clip(checked_vectors(vectors, self.width, self.name), -largest, largest).astype(self.dtype)
        return rows

    def decode(self, rows: Rows) -> Vectors:
        """Return `[texts, width]` float32.

        Raises:
            UsageError: rows of another codec or width.
        """
        return widened(checked_rows(rows, self.dtype, self.cells, self.name))

    def raw(self, rows: Rows) -> Vectors:
        """Return what `decode` returns."""
        return self.decode(rows)
