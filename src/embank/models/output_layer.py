"""The output layer of a model: one linear layer from a vector, or from each state, to the outputs of a task."""

import torch

_SPREAD = 0.02
"""Deviation of the first weights, as transformers draws those of its own layers."""


def output_layer(inputs: int, outputs: int, generator: torch.Generator) -> torch.nn.Linear:
    """A linear layer on the CPU whose weights `generator` draws and whose bias is zero.

    Torch's own random numbers are not touched.
    """
    layer = torch.nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    torch.nn.init.normal_(layer.weight, std=_SPREAD, generator=generator)
    torch.nn.init.zeros_(layer.bias)
    return layer
