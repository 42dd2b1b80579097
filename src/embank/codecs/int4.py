"""Four bits per number, two in a byte: sixteen levels for each dimension."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np

from embank.arrays import Rows, Vectors, Whole
from embank.codecs.calibration import frozen, spread
from embank.codecs.guards import checked_rows, checked_sample
from embank.codecs.registry import register
from embank.codecs.rounding import Stepped

_TOP: Final = 15
"""The largest code; the smallest is 0."""

_PERCENTILE: Final = 99.5
"""With so few levels a narrow range serves better: one number in 200 on each side is stored as the last level."""


@register
@dataclass(frozen=True, eq=False)
class Int4(Stepped):
    """Codes 0 to 15; those of dimensions 2 i and 2 i + 1 are the low and the high half of byte i."""

    name: ClassVar[str] = "int4"
    dtype: ClassVar[np.dtype[Any]] = np.dtype("u1")
    bits_per_number: ClassVar[int] = 4
    lowest: ClassVar[int] = 0
    highest: ClassVar[int] = _TOP

    @classmethod
    def calibrate(cls, sample: Vectors) -> Self:
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

    @property
    def cells(self) -> int:
        """Bytes of a row; the last one is half empty where the width is odd."""
        return (self.width + 1) // 2

    def encode(self, vectors: Vectors) -> Rows:
        """Return `[texts, cells]` uint8; see `codes`.

        Raises:
            UsageError: another width, or numbers that are not finite.
        """
        codes = np.zeros((len(vectors), 2 * self.cells), self.dtype)
        codes[:, : self.width] = self.codes(vectors)
        rows: Rows = codes[:, ::2] | codes[:, 1::2] << 4
        return rows

    def whole(self, rows: Rows) -> Whole:
        """Return what `raw` returns, as int8.

        Raises:
            UsageError: rows of another codec or width.
        """
        checked = checked_rows(rows, self.dtype, self.cells, self.name)
        codes = np.empty((len(checked), 2 * self.cells), np.int8)
        codes[:, ::2], codes[:, 1::2] = checked & _TOP, checked >> 4
        return codes if codes.shape[1] == self.width else np.ascontiguousarray(codes[:, : self.width])
