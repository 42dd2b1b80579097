"""Names for the shapes of arrays, so that a signature says what goes in and what comes out; and ragged rows.

They are checked in tests only (jaxtyping's import hook); at run time they cost nothing.
Texts are always on axis 0.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Float32, Int8, Int64, Shaped

Cell: TypeAlias = "str | bytes | float | np.generic | np.ndarray | Sequence[Cell] | Mapping[str, Cell] | None"
"""One value of a user's table, as files have it; whatever else comes is refused with its type."""

Vectors = Float32[np.ndarray, "texts width"]
"""One float32 vector per text."""

Rows = Shaped[np.ndarray, "texts cells"]
"""Stored rows: whatever dtype and number of cells the codec packs a vector into."""

Whole = Int8[np.ndarray, "texts width"]
"""What a codec of whole numbers stores of a vector, before steps and offsets."""

Matrix = Float32[np.ndarray, "width outputs"]
"""Weights that map vectors to outputs."""

Outputs = Float32[np.ndarray, "texts outputs"]
"""One row of outputs (logits or numbers) per text."""

Probabilities = Float[np.ndarray, "texts classes"]
"""One row of probabilities per text."""

PerDimension = Float32[np.ndarray, " width"]
"""One number for each dimension of a vector."""

TextIds = Int64[np.ndarray, " texts"]
"""The bank's own numbers of texts: ascending in the order in which texts were committed."""

Mask = Bool[np.ndarray, " texts"]
"""One truth value per text."""


@dataclass(frozen=True, eq=False)
class Ragged:
    """Blocks of several texts, one after another.

    >>> several = Ragged(np.arange(6.0).reshape(3, 2), np.array([1, 2]))
    >>> [block.tolist() for block in several.blocks()]
    [[[0.0, 1.0]], [[2.0, 3.0], [4.0, 5.0]]]
    >>> several.take([1]).rows.tolist()
    [[2.0, 3.0], [4.0, 5.0]]

    Attributes:
        rows: `[tokens, cells]`, of all texts together.
        lengths: how many rows each text has, `[texts]`.
    """

    rows: Shaped[np.ndarray, "tokens cells"]
    lengths: Int64[np.ndarray, " texts"]

    def __len__(self) -> int:
        """How many texts."""
        return len(self.lengths)

    @property
    def nbytes(self) -> int:
        """Bytes of the rows."""
        return int(self.rows.nbytes)

    @property
    def ends(self) -> Int64[np.ndarray, " texts"]:
        """Where each text's block ends."""
        return np.cumsum(self.lengths)

    def blocks(self) -> Iterator[np.ndarray]:
        """Each text's own rows, `[length, cells]`."""
        start = 0
        for length in self.lengths.tolist():
            yield self.rows[start : start + length]
            start += length

    def take(self, order: Sequence[int] | np.ndarray) -> "Ragged":
        """Blocks of some texts, in the order given."""
        ends = self.ends
        chosen = [self.rows[ends[at] - self.lengths[at] : ends[at]] for at in order]
        rows = np.concatenate(chosen) if chosen else self.rows[:0]
        return Ragged(rows, self.lengths[np.asarray(order, np.int64)])

    @staticmethod
    def of(blocks: Sequence[np.ndarray]) -> "Ragged":
        """Blocks `[length, cells]` of one text each; at least one, so that the number of cells is known."""
        return Ragged(np.concatenate(blocks), np.array([len(block) for block in blocks], np.int64))

    @staticmethod
    def joined(parts: "Sequence[Ragged]") -> "Ragged":
        """Several of them as one; at least one."""
        if len(parts) == 1:
            return parts[0]
        return Ragged(np.concatenate([part.rows for part in parts]), np.concatenate([part.lengths for part in parts]))
