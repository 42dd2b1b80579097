"""An encoder that is trained as a whole, from token numbers: full fine-tuning, as a torch module and its lessons."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from embank.encoders import Tokens
from embank.encoders.architectures import ANATOMY
from embank.encoders.batching import rounded_length
from embank.encoders.pooling import pool as pooled
from embank.labels.kinds import POOLED
from embank.models.tail_design import TailDesign
from embank.training.datasets import Inputs
from embank.training.objectives import Objective, Which

_SPREAD = 0.02


class LiveEncoder(torch.nn.Module):
    """All layers of an encoder and an output layer; everything is trained."""

    def __init__(self, encoder: Any, design: TailDesign, seed: int) -> None:
        """Train a loaded encoder that nobody else uses.

        Args:
            encoder: a `TransformerEncoder` in float32.
            design: kind, outputs, pooling and dropout; its cut and method are of no account here.
            seed: of the output layer's first weights.
        """
        super().__init__()
        self.model, self.design = encoder.model, design
        self._causal = (ANATOMY[encoder.folder.family].causal) if encoder.folder.family in ANATOMY else False
        self.dropout = torch.nn.Dropout(design.options.dropout)
        self.output = torch.nn.Linear(encoder.width, design.outputs, device="meta").to_empty(device="cpu")
        torch.nn.init.normal_(self.output.weight, std=_SPREAD, generator=torch.Generator().manual_seed(seed))
        torch.nn.init.zeros_(self.output.bias)
        self.output.to(next(self.model.parameters()).device)

    def forward(self, pool: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Run all layers.

        Args:
            pool: `[batch, length]`, 1 where pooling looks.
            inputs: `input_ids`, `attention_mask`, and `token_type_ids` where the encoder has them.

        Returns:
            `[batch, outputs]`, or `[batch, length, outputs]` of kinds that read tokens.
        """
        extra = {"use_cache": False} if self._causal else {}
        return self.read(self.model(**inputs, **extra).last_hidden_state, pool)

    def read(self, states: torch.Tensor, pool: torch.Tensor) -> torch.Tensor:
        """Outputs of the encoder's last states, `[batch, length, width]`; see `forward`."""
        if self.design.kind in POOLED:
            states = pooled(states, pool, self.design.options.pooling)
        logits: torch.Tensor = self.output(self.dropout(states))
        return logits

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Every parameter that bears on the output."""
        return {name: parameter for name, parameter in self.named_parameters() if "pooler" not in name}


class TokenLessons:
    """Examples as token numbers."""

    def __init__(self, encoder: Any, tokens: Tokens, objective: Objective | None) -> None:
        """Serve texts that were tokenised, one row each; without an objective where the loss has targets of its own."""
        self.lengths: Int64[np.ndarray, " examples"] = np.array([len(ids) for ids in tokens.ids], np.int64)
        self._ids: Sequence[Sequence[int]] = tokens.ids
        self._types = tokens.types if encoder.takes_types else None
        self._objective, self._skip, self.padding = objective, tokens.skip, encoder.padding

    def inputs(self, which: Which) -> Inputs:
        """Token numbers, mask, pool and token types of some examples."""
        length = rounded_length(int(self.lengths[which].max()))
        ids = np.full((len(which), length), self.padding, np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for row, at in enumerate(which):
            own = self._ids[at]
            ids[row, : len(own)] = own
            mask[row, : len(own)] = 1
            if self._types is not None:
                types[row, : len(own)] = self._types[at]
        pool = mask.copy()
        pool[:, : self._skip] = 0
        empty = pool.sum(1) == 0
        pool[empty] = mask[empty]
        named = {"input_ids": ids, "attention_mask": mask, "pool": pool}
        if self._types is not None:
            named["token_type_ids"] = types
        return {name: torch.from_numpy(array) for name, array in named.items()}

    def targets(self, which: Which, length: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Targets of some examples."""
        assert self._objective is not None, "there is nothing to learn"  # noqa: S101 - a mistake of the caller
        return self._objective.targets(which, length)
