"""Training examples of several source tasks under one numbering; a batch holds examples of one source."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64

from embank.fit.source_datasets import SourceDataset
from embank.training.datasets import Inputs, Which
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


class MultitaskDataset:
    """The training examples of all sources, numbered through; it remembers the losses of the running pass.

    Attributes:
        parts: lengths of the examples, source by source.
        losses: of the batches of the running pass, by source.
    """

    def __init__(self, sources: Sequence[SourceDataset]) -> None:
        """Serve sources in their order."""
        self._sources, self.losses = tuple(sources), dict[str, list[float]]()
        self.parts = [source.inputs.lengths[source.train] for source in sources]
        self._starts = np.concatenate([[0], np.cumsum([len(part) for part in self.parts])])

    @property
    def lengths(self) -> Int64[np.ndarray, " examples"]:
        """Tokens of each example."""
        return np.concatenate(self.parts)

    def __getitem__(self, which: Which) -> tuple[Inputs, SourceTargets]:
        """Inputs and targets of a batch, all of one source."""
        number = int(np.searchsorted(self._starts, which[0], side="right")) - 1
        source = self._sources[number]
        inputs, targets = source.all[source.train[which - self._starts[number]]]
        return inputs, SourceTargets(number, targets)

    def loss(self, outputs: torch.Tensor, targets: SourceTargets) -> torch.Tensor:
        """The weighted loss of the source that a batch comes from."""
        source = self._sources[targets.source]
        loss = source.objective.loss(outputs, targets.targets)
        self.losses.setdefault(source.name, []).append(float(loss.detach()))
        return source.weight * loss
