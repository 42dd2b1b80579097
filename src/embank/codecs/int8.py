"""One byte per number."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np

from embank.arrays import Rows, Vectors, Whole
from embank.codecs.calibration import frozen, spread
from embank.codecs.guards import checked_rows, checked_sample
from embank.codecs.registry import register
from embank.codecs.rounding import Stepped

_TOP: Final = 127
"""The largest code. -128 stays unused: codes are symmetric around the offset."""

_PERCENTILE: Final = 99.99
"""The calibrated range leaves out one number in 10,000 on each side, so that one freak text in a large sample cannot
widen the steps of all others. Below 10,000 texts it is all but the range of the sample. Measured on 13 tasks, 100,
99.99, 99.9 and 99.5 differ by less than the noise (bench/log/2026-11.md)."""


@register
@dataclass(frozen=True, eq=False)
class Int8(Stepped):
    """Codes -127 to 127; the offset is the middle of the calibrated range."""

    name: ClassVar[str] = "int8"
    dtype: ClassVar[np.dtype[Any]] = np.dtype("i1")
    bits_per_number: ClassVar[int] = 8
    lowest: ClassVar[int] = -_TOP
    highest: ClassVar[int] = _TOP

    @classmethod
    def calibrate(cls, sample: Vectors) -> Self:
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

    @property
    def cells(self) -> int:
        """Bytes of a row."""
        return self.width

    def encode(self, vectors: Vectors) -> Rows:
        """Return `[texts, width]` int8; see `codes`.

        Raises:
            UsageError: another width, or numbers that are not finite.
        """
        rows: Rows = self.codes(vectors).astype(self.dtype)
        return rows

    def whole(self, rows: Rows) -> Whole:
        """Return the rows themselves.

        Raises:
            UsageError: rows of another codec or width.
        """
        return checked_rows(rows, self.dtype, self.cells, self.name)
