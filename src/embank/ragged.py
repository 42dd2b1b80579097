"""Ragged rows: for every text a block of rows of its own length, laid end to end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64, Shaped


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

    def blocks(self) -> Iterator[Any]:
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
