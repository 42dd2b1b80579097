"""States to vectors inside torch: pooling over positions and the steps that follow, for several readouts at once."""

from collections.abc import Mapping, Sequence

import torch
import transformers
from safetensors.torch import load_file

from embank.encoders import Readout
from embank.encoders.capture import states
from embank.encoders.folder import Dense, OwnPooling
from embank.encoders.prefix.attention import PrefixSet, prefixed
from embank.recipe import STATES

_LEAST = 1e-12


def pool(state: torch.Tensor, mask: torch.Tensor, mode: str) -> torch.Tensor:
    """Pool states over positions.

    Args:
        state: `[batch, length, width]`.
        mask: `[batch, length]`, 1 for tokens that are pooled; at least one position per row.
        mode: "mean", "max", "first" or "last".

    Returns:
        `[batch, width]` in float32.
    """
    state = state.float()
    if mode == "mean":
        weights = mask.float().unsqueeze(-1)
        return (state * weights).sum(1) / weights.sum(1)
    if mode == "max":
        return state.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).amax(1)
    positions = torch.arange(mask.shape[1], device=mask.device).unsqueeze(0)
    if mode == "first":
        place = mask.shape[1] - ((mask.shape[1] - positions) * mask).amax(1)
    else:
        place = (positions * mask).amax(1)
    index = place.view(-1, 1, 1).expand(-1, 1, state.shape[2])
    return state.gather(1, index).squeeze(1)


class Pooled(torch.nn.Module):
    """An encoder with its readouts: token numbers in, one vector per row and readout out."""

    def __init__(
        self,
        model: transformers.PreTrainedModel,
        readouts: Sequence[Readout],
        n_layers: int,
        own: OwnPooling | None,
        variants: Mapping[str, PrefixSet] | None = None,
    ) -> None:
        """Wrap a loaded transformers model; `variants` are the prefixes that readouts name."""
        super().__init__()
        self.variants = {readout.variant: (variants or {})[readout.variant] for readout in readouts if readout.variant}
        self.model = model
        self.readouts = tuple(readouts)
        self.layers = sorted({readout.layer for readout in readouts})
        self.n_layers = n_layers
        self.own = own
        prescribed = any(readout.pooling == "own" for readout in readouts)
        self.dense = (
            torch.nn.ModuleList(_dense(step) for step in own.dense) if own and prescribed else torch.nn.ModuleList()
        )

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        pool_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, ...]:
        """Run one pass; all arguments are `[batch, length]` int64.

        Each output is `[batch, width]` float32, or `[batch, length, width]` where states are read.
        """
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        if not self.variants:
            found = dict(zip(self.layers, states(self.model, inputs, self.layers, self.n_layers), strict=True))
            return tuple(self._read(readout, found[readout.layer], pool_mask) for readout in self.readouts)
        with prefixed(self.model, list(self.variants.values())):
            found = dict(zip(self.layers, states(self.model, inputs, self.layers, self.n_layers), strict=True))
        return tuple(
            self._read(readout, self._rows_of(readout, found, pool_mask), pool_mask) for readout in self.readouts
        )

    def _rows_of(self, readout: Readout, found: Mapping[int, torch.Tensor], mask: torch.Tensor) -> torch.Tensor:
        """The rows of a readout's own variant; below the first prefix, all variants share them."""
        state, rows = found[readout.layer], len(mask)
        if len(state) == rows:
            return state
        start = list(self.variants).index(readout.variant) * rows
        return state[start : start + rows]

    def _read(self, readout: Readout, state: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if readout.pooling == STATES:
            return state.float()
        if readout.pooling == "own" and self.own:
            vector = torch.cat([pool(state, mask, mode) for mode in self.own.modes], dim=-1)
            for projection in self.dense:
                vector = projection(vector)
            unit = self.own.unit or "unit" in readout.steps
        else:
            vector = pool(state, mask, readout.pooling)
            unit = "unit" in readout.steps
        return vector / vector.norm(dim=-1, keepdim=True).clamp_min(_LEAST) if unit else vector


def _dense(step: Dense) -> torch.nn.Module:
    weights = load_file(step.weights)
    outputs, inputs = weights["linear.weight"].shape
    linear = torch.nn.Linear(inputs, outputs, bias="linear.bias" in weights)
    linear.load_state_dict({name.removeprefix("linear."): value for name, value in weights.items()})
    return torch.nn.Sequential(linear, torch.nn.Tanh()) if step.activation == "Tanh" else linear
