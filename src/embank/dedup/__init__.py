"""The contract of deduplication: groups of texts whose vectors are nearly equal.

Two texts are near duplicates where the cosine of their vectors reaches a threshold, and a group is what hangs together
by such pairs: every pair ends up in one group, in whatever order texts came. A group may therefore be a chain whose
ends are less alike than the threshold; the score of each text, against the group's representative, shows it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from embank.errors import UsageError

Way = Literal["exact", "approximate"]


@dataclass(frozen=True)
class DedupSettings:
    """How to look for near duplicates.

    Attributes:
        threshold: the cosine from which two texts are near duplicates, above 0 and at most 1.
        column: whose vectors; None: the one that a search takes.
        way: "exact" compares all pairs, "approximate" each text with those that a graph finds near it.
    """

    threshold: float = 0.9
    column: str | None = None
    way: Way = "exact"

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise UsageError(f"found a threshold of {self.threshold}; a cosine above 0 and at most 1 is needed")


@dataclass(frozen=True, eq=False)
class Groups:
    """Every text with the group that it is in; most texts are alone.

    Attributes:
        texts: numbers of all texts that have a vector, ascending.
        representatives: of each text the lowest number in its group: its own, where it is alone or came first.
        compared: how many pairs of texts were compared in this run.
        known: how many texts kept the group of an earlier run, and were compared with new texts only.
    """

    texts: Int64[np.ndarray, " texts"]
    representatives: Int64[np.ndarray, " texts"]
    compared: int
    known: int


@dataclass(frozen=True, eq=False)
class Members:
    """The texts of groups of two or more, group after group, the representative first.

    Attributes:
        texts: their numbers.
        representatives: the number of each one's representative.
        scores: cosine of each text with its representative, 1 for itself.
    """

    texts: Int64[np.ndarray, " members"]
    representatives: Int64[np.ndarray, " members"]
    scores: Float32[np.ndarray, " members"]
