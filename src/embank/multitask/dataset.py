"""Training examples of several source tasks under one numbering; a batch holds examples of one source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from embank.fit.source_datasets import SourceDataset
from embank.training.datasets import Inputs, Loss, Which
from embank.training.objectives import Targets


@dataclass(frozen=True, eq=False)
class SourceTargets:
    """Targets of a batch.

    Attributes:
        source: the number of its source.
        targets: as the source's objective gives them.
    """

    source: int
    targets: Targets


class MultitaskLoss:
    """The weighted loss of the source that a batch comes from; remembers the losses of the running pass."""

    def __init__(self, sources: Sequence[SourceDataset]) -> None:
        """Train on sources, numbered in their order."""
        self._sources = tuple(sources)
        self._losses: dict[str, list[float]] = {}

    def loss(self, outputs: torch.Tensor, targets: SourceTargets) -> torch.Tensor:
        """The loss of a batch."""
        source = self._sources[targets.source]
        loss = source.objective.loss(outputs, targets.targets)
        self._losses.setdefault(source.name, []).append(float(loss.detach()))
        return source.weight * loss

    def clear(self) -> None:
        """A pass is over: forget its losses."""
        self._losses.clear()

    @property
    def means(self) -> Mapping[str, float]:
        """Mean loss of each source that was seen in this pass."""
        return {name: sum(losses) / len(losses) for name, losses in self._losses.items()}


class MultitaskDataset:
    """The training examples of all sources, numbered through.

    Attributes:
        parts: lengths of the examples, source by source.
    """

    def __init__(self, sources: Sequence[SourceDataset], loss: MultitaskLoss) -> None:
        """Serve sources in their order."""
        self._sources, self._loss = tuple(sources), loss
        self.parts = [source.inputs.lengths[source.train] for source in sources]
        self._starts = np.concatenate([[0], np.cumsum([len(part) for part in self.parts])])

    @property
    def lengths(self) -> Int64[np.ndarray, " examples"]:
        """Tokens of each example."""
        return np.concatenate(self.parts)

    @property
    def objective(self) -> Loss[Any, SourceTargets]:
        """The weighted loss of all sources."""
        return self._loss

    def __getitem__(self, which: Which) -> tuple[Inputs, SourceTargets]:
        """Inputs and targets of a batch, all of one source."""
        number = int(np.searchsorted(self._starts, which[0], side="right")) - 1
        source = self._sources[number]
        inputs, targets = source.all[source.train[which - self._starts[number]]]
        return inputs, SourceTargets(number, targets)
