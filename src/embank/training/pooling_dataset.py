"""Examples for learned pooling: the states of several layers of a text, side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from embank.arrays import TextIds
from embank.errors import HeadError
from embank.training.datasets import Inputs, padded
from embank.training.objectives import Objective, Which


class LayerLessons:
    """Examples whose states sources give, one source a layer."""

    def __init__(self, sources: Sequence[Any], texts: TextIds, objective: Objective | None, skip: int = 0) -> None:
        """Serve examples.

        Args:
            sources: of states, such as `StateSource`, one for each layer of the design and in its order.
            texts: numbers of the examples' texts.
            objective: their targets; None where nothing is learned any more.
            skip: positions at the head of a text that pooling leaves out.

        Raises:
            HeadError: a text has more states in one layer than in another.
        """
        self.lengths: Int64[np.ndarray, " examples"] = np.asarray(sources[0].lengths(texts), np.int64)
        for source in sources[1:]:
            other = np.flatnonzero(source.lengths(texts) != self.lengths)
            if len(other):
                raise HeadError(
                    f"{len(other)} texts have other numbers of states in one layer than in another: name columns with "
                    "the same limit for all layers"
                )
        self._sources, self._texts, self._objective, self._skip = sources, texts, objective, skip

    def inputs(self, which: Which) -> Inputs:
        """States `[batch, layers, length, width]` and pool `[batch, length]` of some examples."""
        layers = [padded(source.blocks(self._texts[which]), self._skip) for source in self._sources]
        return {"states": torch.stack([layer["states"] for layer in layers], dim=1), "pool": layers[0]["pool"]}

    def targets(self, which: Which, length: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Targets of some examples."""
        assert self._objective is not None, "there is nothing to learn"  # noqa: S101 - a mistake of the caller
        return self._objective.targets(which, length)
