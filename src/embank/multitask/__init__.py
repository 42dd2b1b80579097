"""The contract of trunks: source tasks go in, an encoder that was trained on all of them comes out as a folder.

One encoder, tuned on several tasks, serves tasks that it has not seen better than before: General Purpose Text
Embeddings from Pre-trained Language Models for Scalable Inference (2004.14287). Few sources can also hurt, so the raw
encoder is always the control (papers named there: MUPPET saw gains above about 15 tasks).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from embank.errors import UsageError
from embank.labels.kinds import APART, TOGETHER
from embank.training.settings import TrainingSettings

Served = Literal["float32", "sign"]
"""What source heads read of a pooled vector in training: its numbers, or their signs (straight-through gradient)."""

SERVED: tuple[Served, ...] = ("float32", "sign")

Reads = Literal["default", "last"]
"""What source heads read: the pooled layers that a bank keeps by default, or the pooled last layer alone."""

READS: tuple[Reads, ...] = ("default", "last")


@dataclass(frozen=True, eq=False)
class Source:
    """One source task.

    Attributes:
        name: of the task.
        texts: strings, pairs, or lists of words.
        labels: one a text; None where there is none.
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
            raise UsageError(f"source {self.name!r} asks for spans; a trunk learns from classes, numbers and tags")


@dataclass(frozen=True)
class TrunkSettings:
    """How a trunk is trained.

    Attributes:
        training: of the loop; `epochs` left open means 3.
        temperature: sources are drawn in proportion to (rows) ** (1 / temperature): 1 by size, large ones alike.
        most: training rows of a source that count, for its share and in all; None: all.
        validate: validation rows of a source that are scored after each pass.
        reads: what source heads read.
        served: in which precision they read it.
        heads_first: learn the heads on the encoder as it is before all of it is trained (see `trunks.probing`).
        dropout: whether the encoder, as it is configured, and what source heads read have dropout in training.
    """

    training: TrainingSettings = field(default_factory=TrainingSettings)
    temperature: float = 2.0
    most: int | None = None
    validate: int = 300
    reads: Reads = "default"
    served: Served = "float32"
    heads_first: bool = True
    dropout: bool = True

    def __post_init__(self) -> None:
        """Refuse numbers that no training can start with."""
        if not self.temperature > 0:
            raise UsageError(f"found a temperature of {self.temperature}, expected more than 0, such as 2")
        if self.most is not None and self.most < 1:
            raise UsageError(f"found {self.most} rows of a source at most, expected at least 1")
        if self.validate < 1:
            raise UsageError(f"found {self.validate} validation rows a source, expected at least 1")
        if self.reads not in READS:
            raise UsageError(f"{self.reads!r} is nothing that source heads read; there are: {', '.join(READS)}")
        if self.served not in SERVED:
            raise UsageError(f"{self.served!r} is no precision to train for; there are: {', '.join(SERVED)}")


@dataclass(frozen=True)
class TrunkProgress:
    """How far training is.

    Attributes:
        step: steps taken.
        steps: all of them, if training is not stopped early.
        epoch: the running pass, from 1; 0 while heads are learned on the encoder as it is.
        epochs: passes at the most.
        losses: mean loss of each source in the running pass.
        scores: validation score of each source after the last finished pass; before the first, of heads on the encoder
            as it is, as far as they have been learned.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    losses: Mapping[str, float]
    scores: Mapping[str, float]


@dataclass(frozen=True)
class SourceScore:
    """What became of one source.

    Attributes:
        name: of the task.
        kind: of the task.
        labels: how many; 0 for numbers.
        rows: that it was trained on.
        held_back: rows that validated.
        measure: which counts.
        score: of the trunk with its head on validation rows.
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


@dataclass(frozen=True)
class TrunkReport:
    """What training a trunk found.

    Attributes:
        origin: the encoder that it began as.
        sources: in the order given.
        passes: the mean validation score after each pass.
        best: the pass whose weights were kept, from 1.
        steps: taken.
        seconds: of training.
        resumed: whether it went on from a checkpoint.
        settings: the numbers that decided it.
    """

    origin: str
    sources: Sequence[SourceScore]
    passes: Sequence[float]
    best: int
    steps: int
    seconds: float
    resumed: bool
    settings: Mapping[str, Any]

    @property
    def mean(self) -> float:
        """Mean of the sources' validation scores."""
        return sum(source.score for source in self.sources) / len(self.sources)


TrunkWatch = Callable[[TrunkProgress], None]
"""Told after every step."""
