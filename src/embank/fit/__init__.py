"""The contract of fitting: labelled texts of a bank go in, a task with its head and a report comes out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int64

from embank.arrays import TextIds
from embank.labels.kinds import TOGETHER, Kind
from embank.labels.read import Labels
from embank.models.tail_design import TailSettings
from embank.reports.sheet import Sheet, Table
from embank.reports.wording import CHOICES, MEASURES, counted
from embank.texts import Text


@dataclass(frozen=True)
class Examples:
    """Labelled texts of one task.

    Attributes:
        texts: numbers of the texts.
        seconds: numbers of the second texts where the task reads two apart, or None.
        values: one label a text: a name, a tuple of names, or a float.
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


@dataclass(frozen=True)
class FitSettings:
    """What a user may say about a fit.

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


@dataclass(frozen=True)
class FitReport(Sheet):
    """What a fit found.

    Attributes:
        task: its name.
        kind: of the task.
        labels: its classes; empty for a regression.
        examples: distinct texts that were used.
        held_back: how many of these were validation rows.
        skipped: rows that were left out, by reason.
        columns: what the head reads.
        chosen: the other choices, in words: penalty, class weights, head.
        train: measures on the training rows.
        validation: measures on the held-back rows.
        baseline: the same measures of guessing without reading.
        measure: which of the measures counts.
        tried: the score of every set of columns that was tried, on training rows alone.
        seconds: that it took.
    """

    task: str
    kind: str
    labels: tuple[str, ...]
    examples: int
    held_back: int
    skipped: Mapping[str, int]
    columns: tuple[str, ...]
    chosen: Mapping[str, Any]
    train: Mapping[str, float]
    validation: Mapping[str, float]
    baseline: Mapping[str, float]
    measure: str
    tried: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def parts(self) -> Iterator[str | Table]:
        """What the fit found, in words."""
        what = f"{self.kind}, {len(self.labels)} labels" if self.labels else self.kind
        trained = self.examples - self.held_back
        yield f"task {self.task}: {what}; {trained:,} training and {self.held_back:,} validation texts"
        for reason, rows in self.skipped.items():
            yield f"  {counted(rows, 'row')} left out: {reason}"
        guess = "mean" if self.kind == "regression" else "majority"
        scores = [
            [MEASURES[name], f"{self.train[name]:.3f}", f"{value:.3f}", f"{self.baseline[name]:.3f}"]
            for name, value in self.validation.items()
        ]
        yield Table(["measure", "train", "validation", f"baseline ({guess})"], scores, (1, 2, 3), indent=2)
        if self.columns:
            yield f"  reads {', '.join(self.columns)}"
        trials = [f"{name} {score:.3f}" for name, score in self.tried.items() if name.startswith("one-layer tail")]
        if trials:
            yield f"  tried {'; '.join(trials)} (of nearly equal ones the latest cut is taken: it costs least)"
        yield f"  chose {'; '.join(_choice(CHOICES.get(name, name), value) for name, value in self.chosen.items())}"
        yield f"  {self.seconds:.1f} s"


def _choice(name: str, value: Any) -> str:
    """Something that validation chose, in words."""
    if isinstance(value, bool):
        return f"{name}: {'yes' if value else 'no'}"
    return f"{name} {value:.3g}" if isinstance(value, float) else f"{name}: {value}"
