"""The contract of multi-task training: source tasks go in, an encoder that was trained on all of them comes out.

One encoder, tuned on several tasks, serves tasks that it has not seen better than before: General Purpose Text
Embeddings from Pre-trained Language Models for Scalable Inference (2004.14287). Few sources can also hurt, so the raw
encoder is always the control (papers named there: MUPPET saw gains above about 15 tasks). Nothing here needs torch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embank.errors import UsageError
from embank.fit.source_tasks import Reads, SourceScore, SourceSettings
from embank.training.settings import TrainingSettings


@dataclass(frozen=True, kw_only=True)
class MultitaskSettings:
    """How an encoder is trained on source tasks.

    Attributes:
        training: of the loop; `epochs` left open means 1; steps are of four batches whatever `accumulate` says.
        temperature: sources are drawn in proportion to (rows) ** (1 / temperature): 1 by size, large ones alike.
        most: training rows of a source that count, for its share and in all; None: all.
        validate: validation rows of a source that are scored after each pass.
        reads: what source heads read.
    """

    training: TrainingSettings = TrainingSettings()  # noqa: RUF009 - a frozen value
    temperature: float = 2.0
    most: int | None = None
    validate: int = 300
    reads: Reads = "default"

    def __post_init__(self) -> None:
        """Refuse numbers that no training can start with."""
        if not self.temperature > 0:
            raise UsageError(f"found a temperature of {self.temperature}, expected more than 0, such as 2")
        self.source_settings  # noqa: B018 - it refuses what no source can be read with

    @property
    def source_settings(self) -> SourceSettings:
        """How sources are read."""
        return SourceSettings(seed=self.training.seed, most=self.most, validate=self.validate, reads=self.reads)


@dataclass(frozen=True, kw_only=True)
class MultitaskProgress:
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


@dataclass(frozen=True, kw_only=True)
class MultitaskReport:
    """The result of multi-task training.

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


MultitaskWatch = Callable[[MultitaskProgress], None]
"""Progress callback, called after every step."""
