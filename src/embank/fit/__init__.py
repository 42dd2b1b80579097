"""What is fitted: labelled texts of a bank, and the settings of a fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int64

from embank.arrays import TextIds
from embank.labels.kinds import TOGETHER, Kind
from embank.labels.read import Labels
from embank.models.tail_settings import TailSettings
from embank.texts import Text


@dataclass(frozen=True)
class Examples:
    """Labelled texts of one task.

    Attributes:
        texts: numbers of the texts.
        seconds: numbers of the second texts where the task reads two apart, or None.
        values: one label per text: a name, a tuple of names, or a float.
        held_back: which texts are kept from training, for choosing and calibrating.
    """

    texts: TextIds
    seconds: TextIds | None
    values: Sequence[Any]
    held_back: Sequence[bool]

    @property
    def split(self) -> tuple[Int64[np.ndarray, " train"], Int64[np.ndarray, " held"]]:
        """Numbers of the examples that are trained on, and of those that are held back."""
        held = np.array(self.held_back, np.bool_)
        return np.flatnonzero(~held), np.flatnonzero(held)

    @property
    def identity(self) -> Mapping[str, Any]:
        """Texts, labels and split, as part of the identity of a training."""
        held_back = [bool(held) for held in self.held_back]
        return {"texts": self.texts.tolist(), "labels": list(self.values), "held_back": held_back}


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelledTask:
    """Labelled texts of one task, ready to be fitted.

    Attributes:
        name: of the task.
        kind: of the task.
        examples: the texts with their labels and split.
        skipped: rows that were left out, by reason.
        contents: texts by number, where the user gave them.
    """

    name: str
    kind: Kind
    examples: Examples
    skipped: Mapping[str, int]
    contents: Mapping[int, Text] = field(default_factory=dict)

    @property
    def labels(self) -> Labels:
        """The labels of the examples."""
        return Labels(self.kind, tuple(self.examples.values))


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How to fit a task.

    Attributes:
        kind: "auto", "single", "multi" or "regression"; with a tail also "tagging" or "span".
        columns: columns to read; empty lets validation choose among all of the bank's. A tail reads one, of states.
        reads: TOGETHER, or APART for two banked texts.
        class_weight: "none", or "balanced": rows count in inverse proportion to their class.
        seed: of the split and of everything random.
        tail: train upper layers of the encoder on states, instead of a head on vectors.
    """

    kind: str = "auto"
    columns: tuple[str, ...] = ()
    reads: str = TOGETHER
    class_weight: str = "none"
    seed: int = 0
    tail: TailSettings | None = None
