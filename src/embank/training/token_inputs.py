"""Token numbers as inputs of a module that runs all layers of an encoder."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int64

from embank.encoders.batching import rounded_length
from embank.encoders.torch import TransformerEncoder
from embank.texts import Text
from embank.training.datasets import Inputs, Which, pool_mask


class TokenInputs:
    """Texts as token numbers.

    Attributes:
        padding: the token number that fills a row up.
    """

    def __init__(self, encoder: TransformerEncoder, texts: Sequence[Text]) -> None:
        """Tokenise texts as an encoder does, one row each."""
        tokens = encoder.tokens(texts)
        self.lengths: Int64[np.ndarray, " examples"] = np.array([len(ids) for ids in tokens.ids], np.int64)
        self._ids: Sequence[Sequence[int]] = tokens.ids
        self._types = tokens.types if encoder.takes_types else None
        self._skip, self.padding = tokens.skip, encoder.padding

    def inputs(self, which: Which) -> Inputs:
        """`input_ids`, `attention_mask`, `pool` and, where the encoder has them, `token_type_ids` of some examples."""
        length = rounded_length(int(self.lengths[which].max()))
        ids = np.full((len(which), length), self.padding, np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for row, at in enumerate(which):
            own = self._ids[at]
            ids[row, : len(own)] = own
            mask[row, : len(own)] = 1
            if self._types is not None:
                types[row, : len(own)] = self._types[at]
        named = {"input_ids": ids, "attention_mask": mask, "pool": pool_mask(mask, self._skip)}
        if self._types is not None:
            named["token_type_ids"] = types
        return {name: torch.from_numpy(array) for name, array in named.items()}
