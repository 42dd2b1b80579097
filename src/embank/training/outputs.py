"""Outputs of trained modules for every example, in batches of one token budget."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch

from embank.training.datasets import Inputs, InputSource, Which, batches_by_length
from embank.training.precision import precision

_BUDGET = 4096
"""Tokens of a batch that is only predicted."""


class Trainable(Protocol):
    """A torch module that names its trained parameters."""

    def __call__(self, **inputs: torch.Tensor) -> Any:
        """Logits, or other inputs of the loss."""
        ...

    def train(self, mode: bool = True) -> Any:  # noqa: FBT001, FBT002 - torch's own signature
        """Turn dropout on or off."""
        ...

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Parameters that are trained, by name."""
        ...


def on_device(inputs: Inputs, module: Trainable) -> Inputs:
    """Inputs where the module's weights are."""
    device = next(iter(module.trainable().values())).device
    return {name: tensor.to(device) for name, tensor in inputs.items()}


def predict_outputs(module: Trainable, source: InputSource, which: Which) -> list[np.ndarray]:
    """Outputs of a module for each example: `[outputs]`, or `[tokens, outputs]` of kinds that read tokens."""
    return predict_together({"": module}, source, which)[""]


def predict_together(
    modules: Mapping[str, Trainable], source: InputSource, which: Which
) -> dict[str, list[np.ndarray]]:
    """Outputs of several modules that read the same inputs, which are made once; see `predict_outputs`."""
    for module in modules.values():
        module.train(mode=False)
    outputs: dict[str, list[np.ndarray]] = {name: [np.empty(0, np.float32)] * len(which) for name in modules}
    lengths = source.lengths[which]
    with torch.inference_mode():
        for places in batches_by_length(lengths, _BUDGET):
            inputs = source.inputs(which[places])
            for name, module in modules.items():
                with precision():
                    logits = module(**on_device(inputs, module)).float().cpu().numpy()
                for place, row in zip(places.tolist(), logits, strict=True):
                    outputs[name][place] = row if row.ndim == 1 else row[: lengths[place]]
    return outputs
