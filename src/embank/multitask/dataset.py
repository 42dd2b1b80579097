"""Examples of several source tasks under one numbering, as a training loop takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from embank.models.full import TokenLessons
from embank.training.datasets import Inputs
from embank.training.objectives import Objective, Which


@dataclass(frozen=True, eq=False)
class SourceLessons:
    """One source's examples: token numbers, and the number of the source for the module.

    Attributes:
        number: of the source.
        first: of its texts.
        second: of the second texts where two are read apart, or None.
    """

    number: int
    first: TokenLessons
    second: TokenLessons | None = None

    @property
    def lengths(self) -> Int64[np.ndarray, " examples"]:
        """Tokens of each example; of the longer text where there are two."""
        if self.second is None:
            return self.first.lengths
        longer: Int64[np.ndarray, " examples"] = np.maximum(self.first.lengths, self.second.lengths)
        return longer

    def inputs(self, which: Which) -> Inputs:
        """What the module reads of some examples: second texts stand below the first ones."""
        found = dict(self.first.inputs(which))
        if self.second is not None:
            below = self.second.inputs(which)
            length = max(found["input_ids"].shape[1], below["input_ids"].shape[1])
            found = {
                name: torch.cat([self._wide(name, tensor, length), self._wide(name, below[name], length)])
                for name, tensor in found.items()
            }
        found["source"] = torch.tensor(self.number)
        return found

    def targets(self, which: Which, length: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Targets of some examples."""
        return self.first.targets(which, length)

    def _wide(self, name: str, tensor: torch.Tensor, length: int) -> torch.Tensor:
        fill = self.first.padding if name == "input_ids" else 0
        return torch.nn.functional.pad(tensor, (0, length - tensor.shape[1]), value=fill)


@dataclass(frozen=True, eq=False)
class Taught:
    """A source that is ready to be learned from.

    Attributes:
        name: of the task.
        lessons: its examples.
        objective: what is asked of them.
        train: numbers of the examples that are trained on.
        held_back: numbers of those that validate.
        weight: of its loss, the number of its classes accounted for.
        labels: names of its classes.
        digest: of its texts, labels and split.
    """

    name: str
    lessons: SourceLessons
    objective: Objective
    train: Which
    held_back: Which
    weight: float
    labels: tuple[str, ...]
    digest: str


class Mixed:
    """The training examples of all sources, numbered through; a batch holds examples of one source."""

    def __init__(self, sources: Sequence[Taught]) -> None:
        """Serve sources in their order."""
        self._sources = tuple(sources)
        self.parts = [source.lessons.lengths[source.train] for source in sources]
        """Lengths, source by source."""
        self._starts = np.concatenate([[0], np.cumsum([len(part) for part in self.parts])])

    @property
    def lengths(self) -> Int64[np.ndarray, " examples"]:
        """Tokens of each example."""
        return np.concatenate(self.parts)

    def placed(self, which: Which) -> tuple[Taught, Which]:
        """The source of a batch, and the numbers of its examples within it."""
        number = int(np.searchsorted(self._starts, which[0], side="right")) - 1
        source = self._sources[number]
        return source, source.train[which - self._starts[number]]

    def inputs(self, which: Which) -> Inputs:
        """What the module reads of a batch."""
        source, own = self.placed(which)
        return source.lessons.inputs(own)

    def targets(self, which: Which, length: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Targets of a batch."""
        source, own = self.placed(which)
        return source.lessons.targets(own, length)


class Ledger:
    """Mean losses of the sources in the running pass, for whoever watches."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._sums: dict[str, list[float]] = {}

    def add(self, name: str, loss: float) -> None:
        """Count one batch."""
        self._sums.setdefault(name, []).append(loss)

    def clear(self) -> None:
        """A pass is over."""
        self._sums.clear()

    @property
    def means(self) -> Mapping[str, float]:
        """Of each source that was seen in this pass."""
        return {name: sum(losses) / len(losses) for name, losses in self._sums.items()}


def tokens_of(encoder: Any, texts: Sequence[Any], objective: Objective) -> TokenLessons:
    """Texts as token numbers."""
    return TokenLessons(encoder, encoder.tokens(texts), objective)
