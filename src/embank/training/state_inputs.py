"""States as inputs of a module: of one layer for tails, of several side by side for learned pooling."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Int64

from embank.arrays import TextIds, Vectors
from embank.errors import HeadError
from embank.training.datasets import Inputs, Which, padded_states


class States(Protocol):
    """States of one layer by text number."""

    def lengths(self, texts: TextIds) -> Int64[np.ndarray, " texts"]:
        """Tokens of each text."""
        ...

    def blocks(self, texts: TextIds) -> list[Vectors]:
        """States of each text, `[tokens, width]`."""
        ...


class StateInputs:
    """Examples whose states of one layer are stored or computed."""

    def __init__(self, states: States, texts: TextIds, skip: int) -> None:
        """Serve examples.

        Args:
            states: of the texts.
            texts: numbers of the examples' texts.
            skip: positions at the head of a text that pooling leaves out.
        """
        self.lengths: Int64[np.ndarray, " examples"] = states.lengths(texts)
        self._states, self._texts, self._skip = states, texts, skip

    def inputs(self, which: Which) -> Inputs:
        """States, mask and pool of some examples; see `padded_states`."""
        return padded_states(self._states.blocks(self._texts[which]), self._skip)


class LayerInputs:
    """Examples whose states of several layers are stored or computed."""

    def __init__(self, layers: Sequence[States], texts: TextIds, skip: int = 0) -> None:
        """Serve examples.

        Args:
            layers: states of each layer of the design, in its order.
            texts: numbers of the examples' texts.
            skip: positions at the head of a text that pooling leaves out.

        Raises:
            HeadError: a text has more states in one layer than in another.
        """
        self.lengths: Int64[np.ndarray, " examples"] = np.asarray(layers[0].lengths(texts), np.int64)
        for states in layers[1:]:
            other = np.flatnonzero(states.lengths(texts) != self.lengths)
            if len(other):
                raise HeadError(
                    f"{len(other)} texts have other numbers of states in one layer than in another: name columns with "
                    "the same limit for all layers"
                )
        self._layers, self._texts, self._skip = layers, texts, skip

    def inputs(self, which: Which) -> Inputs:
        """States `[batch, layers, length, width]` and pool `[batch, length]` of some examples."""
        layers = [padded_states(states.blocks(self._texts[which]), self._skip) for states in self._layers]
        return {"states": torch.stack([layer["states"] for layer in layers], dim=1), "pool": layers[0]["pool"]}
