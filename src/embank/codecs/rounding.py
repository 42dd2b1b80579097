"""What codecs of whole numbers share: a step and an offset for each dimension, learned once and stored."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float32

from embank.arrays import Matrix, PerDimension, Rows, Vectors
from embank.codecs.calibration import Calibrated, Calibration, frozen, stored
from embank.codecs.guards import checked_vectors


@dataclass(frozen=True, eq=False)
class Stepped(Calibrated):
    """`code = round((x - offset) / scale)`, saturated at the lowest and the highest code; `x = code * scale + offset`.

    Between `offset + lowest * scale` and `offset + highest * scale` the error is at most half a step, and float32's own
    rounding.

    Attributes:
        scale: one step, `[width]`, positive.
        offset: what code 0 stands for, `[width]`.
    """

    scale: PerDimension
    offset: PerDimension
    name: ClassVar[str]
    dtype: ClassVar[np.dtype[Any]]
    bits_per_number: ClassVar[int]

    @classmethod
    def restore(cls, width: int, calibration: Calibration) -> Self:
        """Make the codec again that gave this calibration.

        Raises:
            UsageError: the arrays are not those of such a codec of this width.
        """
        stored(calibration, cls.name, {"scale": (width,), "offset": (width,)})
        return cls(frozen(calibration["scale"], np.float32), frozen(calibration["offset"], np.float32))

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return len(self.scale)

    def calibration(self) -> Calibration:
        """Return `scale` and `offset`, both float32 `[width]`."""
        return {"scale": self.scale, "offset": self.offset}

    @abstractmethod
    def encode(self, vectors: Vectors) -> Rows:
        """Return stored rows."""

    def codes(self, vectors: Vectors) -> Vectors:
        """Return codes `[texts, width]`, still as float32, rounded half to even, saturated, never wrapped.

        Raises:
            UsageError: another width, or numbers that are not finite.
        """
        checked = checked_vectors(vectors, self.width, self.name)
        with np.errstate(over="ignore"):  # a number far outside the range may become infinity here; it saturates
            steps = np.rint((checked - self.offset) / self.scale)
        found: Vectors = np.clip(steps, self.lowest, self.highest)
        return found

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

    def fold(
        self, weights: Matrix, bias: Float32[np.ndarray, " outputs"]
    ) -> tuple[Matrix, Float32[np.ndarray, " outputs"]]:
        """Return weights and bias that read raw rows: the steps move into the weights, the offsets into the bias."""
        exact = weights.astype(np.float64)
        folded = self.scale[:, None] * exact
        return folded.astype(np.float32), (bias + self.offset @ exact).astype(np.float32)
