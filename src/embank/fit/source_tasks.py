"""The contract of source tasks: labelled texts that an encoder, or a prefix of it, is trained on for other tasks.

Nothing here needs torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from embank.errors import UsageError
from embank.labels.kinds import APART, TOGETHER

Reads = Literal["default", "last"]
"""What source heads read: the pooled layers that a bank keeps by default, or the pooled last layer alone."""

READS: tuple[Reads, ...] = ("default", "last")


@dataclass(frozen=True, eq=False, kw_only=True)
class Source:
    """One source task.

    Attributes:
        name: of the task.
        texts: strings, pairs, or lists of words.
        labels: one per text; None for texts without a label.
        kind: "auto", "single", "multi", "regression" or "tagging".
        weight: of its loss.
        reads: TOGETHER, or APART: both texts of a pair are encoded alone.
        validation: texts and labels that validate; None: a fifth of the rows is held back.
    """

    name: str
    texts: Sequence[Any]
    labels: Sequence[Any]
    kind: str = "auto"
    weight: float = 1.0
    reads: str = TOGETHER
    validation: tuple[Sequence[Any], Sequence[Any]] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be a source."""
        if not self.name or len(self.texts) != len(self.labels):
            raise UsageError(f"source {self.name!r} has {len(self.texts)} texts and {len(self.labels)} labels")
        if self.reads not in (TOGETHER, APART):
            raise UsageError(f"source {self.name!r} reads {self.reads!r}; expected {TOGETHER} or {APART}")
        if not self.weight > 0:
            raise UsageError(f"source {self.name!r} has the weight {self.weight}, expected more than 0")
        if self.kind == "span":
            raise UsageError(f"source {self.name!r} asks for spans; source tasks are classes, labels, numbers or tags")


@dataclass(frozen=True, kw_only=True)
class SourceSettings:
    """How source tasks are read.

    Attributes:
        seed: of the split, and of the rows that are taken where there are more than the most.
        most: training rows of a source that count, for its share and in all; None: all.
        validate: validation rows of a source that are scored after each pass.
        reads: what source heads read.
    """

    seed: int = 0
    most: int | None = None
    validate: int = 300
    reads: Reads = "default"

    def __post_init__(self) -> None:
        """Refuse numbers that no training can start with."""
        if self.most is not None and self.most < 1:
            raise UsageError(f"found {self.most} rows of a source at most, expected at least 1")
        if self.validate < 1:
            raise UsageError(f"found {self.validate} validation rows per source, expected at least 1")
        if self.reads not in READS:
            raise UsageError(f"unknown readings {self.reads!r} of source heads: choose {' or '.join(READS)}")


@dataclass(frozen=True, kw_only=True)
class SourceScore:
    """How good a trained encoder or prefix is on one source.

    Attributes:
        name: of the task.
        kind: of the task.
        labels: how many; 0 for numbers.
        rows: that it was trained on.
        held_back: rows that validated.
        measure: which counts.
        score: of the trained encoder with its head on validation rows.
        guess: of guessing without reading.
        frozen: of a linear head on the encoder as it was, on the same rows; None where heads were not learned first.
    """

    name: str
    kind: str
    labels: int
    rows: int
    held_back: int
    measure: str
    score: float
    guess: float
    frozen: float | None = None
