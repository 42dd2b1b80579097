"""Bottleneck adapters in the upper layers: small networks after attention and after the feed-forward block.

Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP", section 2.1: down to a bottleneck, through a
non-linearity, up again, and a skip connection. An adapter stands after the projection that ends a block and before the
sum with what entered it. The norms of the layers are trained as well, as there; they are few.

One adapter more stands where a tail begins, on the states themselves: the one behind the feed-forward block of the last
layer below the cut, which the bank has run already. Without it nothing decides to what the first upper layer attends,
and tasks that hang on that learn much less (bench/RESULTS.md).
"""

import math
from functools import reduce
from typing import Any

import torch

from embank.encoders.resume import Upper
from embank.errors import UsageError


class Adapted(torch.nn.Linear):
    """A linear with an adapter on its output; it keeps the weights, and so their names, of the one it replaces."""

    def __init__(self, linear: torch.nn.Linear, width: int, generator: torch.Generator) -> None:
        """Take over a linear.

        Args:
            linear: `[inputs]` to `[outputs]`.
            width: of the bottleneck.
            generator: draws the weights of `down`; `up` begins as zeros, so nothing changes at first.
        """
        super().__init__(linear.in_features, linear.out_features, bias=linear.bias is not None, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        self.down, self.up = _bottleneck(linear.out_features, width, linear.weight, generator)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's own name
        """The linear's output `[..., outputs]`, plus the adapter's output for it."""
        output = super().forward(input)
        added: torch.Tensor = self.up(torch.nn.functional.gelu(self.down(output)))
        return output + added


class Entry(torch.nn.Module):
    """An adapter on states, `[..., width]` to the same; its bottleneck reads normed states.

    Those of families whose norms stand at the entry of a block have no scale of their own to rely on.
    """

    def __init__(self, states: int, width: int, like: torch.Tensor, generator: torch.Generator) -> None:
        """Begin as the identity.

        Args:
            states: their width.
            width: of the bottleneck.
            like: a tensor of the device and precision to use.
            generator: draws the weights of `down`; `up` begins as zeros.
        """
        super().__init__()
        self.down, self.up = _bottleneck(states, width, like, generator)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """The states, plus the adapter's output for them."""
        normed = torch.nn.functional.layer_norm(states, states.shape[-1:])
        added: torch.Tensor = self.up(torch.nn.functional.gelu(self.down(normed)))
        return states + added


def add_adapters(upper: Upper, width: int, seed: int) -> dict[str, torch.nn.Parameter]:
    """Put adapters at the entry and into every upper layer, and freeze all but them and the norms of those layers.

    Args:
        upper: changed in place.
        width: of the bottleneck.
        seed: decides the first weights; torch's own random numbers are not touched.

    Returns:
        The parameters to train, by the name of the linear or norm in the full model, and `entry` for the adapter on
        the states. They are 4 * width * (d + 1) a layer and twice its norms, and half of that for the entry, for
        states of width d, less a little.

    Raises:
        UsageError: no layer is left to adapt, or layers are shared.
    """
    check_adaptable(upper, "adapters")
    generator = torch.Generator().manual_seed(seed)
    upper.requires_grad_(requires_grad=False)
    trained: dict[str, torch.nn.Parameter] = {}
    for number, layer in upper.layers.items():
        within = {f"{path}.{name}": norm for path, module in _norms(layer) for name, norm in module.named_parameters()}
        for path in (upper.anatomy.attention_out, upper.anatomy.feed_forward_out):
            *parents, name = path.split(".")
            parent: Any = reduce(getattr, parents, layer)
            adapted = Adapted(getattr(parent, name), width, generator)
            setattr(parent, name, adapted)
            within |= {f"{path}.down.{part}": value for part, value in adapted.down.named_parameters()}
            within |= {f"{path}.up.{part}": value for part, value in adapted.up.named_parameters()}
        trained |= {f"{upper.anatomy.layers}.{number}.{name}": parameter for name, parameter in within.items()}
    like = next(iter(trained.values()))
    upper.entry = Entry(upper.width, width, like, generator)
    trained |= {f"entry.{name}": parameter for name, parameter in upper.entry.named_parameters()}
    for parameter in trained.values():
        parameter.requires_grad = True
    return trained


def check_adaptable(upper: Upper, what: str) -> None:
    """Refuse encoders without layers for adapters or LoRA.

    Raises:
        UsageError: the family runs one layer again and again, or there is no layer above the cut.
    """
    if upper.anatomy.shared:
        raise UsageError(
            f"{upper.family} runs the same layer at every depth, so {what} in its upper layers would be in the lower "
            "ones as well: fit a head on its vectors, or take an encoder of another family"
        )
    if not upper.layers:
        raise UsageError(
            f"a tail that starts at layer {upper.cut} of {upper.n_layers} has no layer for {what}: cut lower, "
            "or use the method full, which then trains the output layer alone"
        )


def _norms(layer: torch.nn.Module) -> list[tuple[str, torch.nn.Module]]:
    """Norms are known by their class: LayerNorm, T5LayerNorm, Qwen3RMSNorm and so on."""
    return [(path, module) for path, module in layer.named_modules() if type(module).__name__.endswith("Norm")]


def _bottleneck(
    states: int, width: int, like: torch.Tensor, generator: torch.Generator
) -> tuple[torch.nn.Linear, torch.nn.Linear]:
    """Down, drawn, and up again, zeros."""
    down, up = _linear(states, width, like), _linear(width, states, like)
    drawn = torch.empty(down.weight.shape)
    torch.nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=generator)
    with torch.no_grad():
        down.weight.copy_(drawn)
    return down, up


def _linear(inputs: int, outputs: int, like: torch.Tensor) -> torch.nn.Linear:
    """A linear of zeros, where and as precise as another tensor is."""
    linear = torch.nn.Linear(inputs, outputs, device="meta", dtype=like.dtype).to_empty(device=like.device)
    for parameter in linear.parameters():
        torch.nn.init.zeros_(parameter)
    return linear
