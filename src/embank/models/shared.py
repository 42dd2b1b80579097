"""One encoder under the heads of several tasks, as a torch module."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch

from embank.encoders.capture import states
from embank.encoders.pooling import pool as pooled
from embank.labels.kinds import POOLED, Kind
from embank.multitask import Served

_SPREAD = 0.02

_DROPOUT = 0.1
"""Of what heads read."""

_REACH = 700.0
"""What the inputs of a head weigh together: dimensions of deviation 1 are scaled to this share of their number, for a
step of the optimiser moves every weight alike, and so an output by all dimensions together (bench/RESULTS.md)."""

_LEAST = 0.1
"""Deviations below this share of the median count as that."""


@dataclass(frozen=True)
class HeadShape:
    """One task's head.

    Attributes:
        kind: of the task.
        outputs: classes, labels or numbers.
        apart: whether it reads two vectors of two texts.
    """

    kind: Kind
    outputs: int
    apart: bool


@dataclass(frozen=True)
class Readings:
    """What heads read of the encoder.

    Attributes:
        readouts: layer and pooling of each vector that is concatenated.
        served: "float32", or "sign".
        dropout: whether the encoder in training, and what heads read, have any.
    """

    readouts: tuple[tuple[int, str], ...]
    served: Served = "float32"
    dropout: bool = True


class SharedEncoder(torch.nn.Module):
    """All layers of an encoder, and an output layer for each task; everything is trained."""

    centre: torch.Tensor
    spread: torch.Tensor

    def __init__(self, encoder: Any, heads: Sequence[HeadShape], readings: Readings, seed: int) -> None:
        """Train a loaded encoder that nobody else uses.

        Args:
            encoder: a `TransformerEncoder` in float32.
            heads: of the tasks, in their order.
            readings: what they read.
            seed: of the output layers' first weights.
        """
        super().__init__()
        self.model, self.shapes, self.readings = encoder.model, tuple(heads), readings
        self.n_layers = encoder.n_layers
        width = encoder.width * len(readings.readouts)
        generator = torch.Generator().manual_seed(seed)
        self.dropout = torch.nn.Dropout(_DROPOUT if readings.dropout else 0.0)
        self.heads = torch.nn.ModuleList()
        for shape in heads:
            inputs = encoder.width if shape.kind not in POOLED else width * (4 if shape.apart else 1)
            head = torch.nn.Linear(inputs, shape.outputs)
            torch.nn.init.normal_(head.weight, std=_SPREAD, generator=generator)
            torch.nn.init.zeros_(head.bias)
            self.heads.append(head)
        # Dimensions are brought to mean 0 and deviation 1 as the encoder had them before training: heads learn at once,
        # and signs are taken around a middle. Constant from then on, so that a training can be taken up again.
        self.register_buffer("centre", torch.zeros(width), persistent=False)
        self.register_buffer("spread", torch.ones(width), persistent=False)
        self.to(encoder.device)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's own signature
        """Turn dropout on, where there is to be any, or off."""
        super().train(mode)
        self.model.train(mode=mode and self.readings.dropout)
        return self

    def standardise(self, vectors: torch.Tensor) -> None:
        """Take the middle and the deviation of each dimension from vectors `[texts, width]` of the raw encoder."""
        deviations = vectors.std(0)
        # Maxima of some dimensions are those of a special token, alike in all texts; they must not be blown up.
        least = max(float(deviations.median()) * _LEAST, torch.finfo(torch.float32).tiny)
        self.centre = vectors.mean(0).to(self.centre.device)
        self.spread = deviations.clamp_min(least).to(self.spread.device)

    def vectors(self, pool: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """What is served of texts: the readouts, side by side, `[batch, width]` in float32."""
        layers = sorted({layer for layer, _ in self.readings.readouts})
        found = dict(zip(layers, states(self.model, inputs, layers, self.n_layers), strict=True))
        return torch.cat([pooled(found[layer], pool, mode) for layer, mode in self.readings.readouts], dim=-1)

    def read(self, source: torch.Tensor, pool: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Run all layers, up to what the head of one task reads: `[batch, inputs]`, or `[batch, length, inputs]`.

        Args:
            source: the task's number.
            pool: `[rows, length]`, 1 where pooling looks. Where a task reads two texts apart, the rows are all first
                texts and then all second ones.
            inputs: `input_ids`, `attention_mask`, and `token_type_ids` where the encoder has them.
        """
        shape = self.shapes[int(source)]
        if shape.kind not in POOLED:
            (last,) = states(self.model, inputs, [self.n_layers], self.n_layers)
            return last.float()
        vectors = (self.vectors(pool, **inputs) - self.centre) / self.spread
        if self.readings.served == "sign":
            vectors = through(vectors)
        if shape.apart:
            first, second = vectors.chunk(2)
            vectors = torch.cat([first, second, (first - second).abs(), first * second], dim=-1)
        return vectors * min(1.0, _REACH / vectors.shape[-1])

    def forward(self, source: torch.Tensor, pool: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Run all layers and the head of one task; arguments are those of `read`.

        Returns:
            `[batch, outputs]`, or `[batch, length, outputs]` of kinds that read tokens.
        """
        found: torch.Tensor = self.heads[int(source)](self.dropout(self.read(source, pool, **inputs)))
        return found

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Every parameter that bears on the outputs."""
        return {name: parameter for name, parameter in self.named_parameters() if "pooler" not in name}


def through(vectors: torch.Tensor) -> torch.Tensor:
    """The signs of numbers, with the gradient of the numbers themselves where they are not far out.

    The straight-through estimator (Bengio et al. 2013, 1308.3432), clipped as for binary networks (Courbariaux et al.
    2016, 1602.02830): beyond 2 deviations no gradient pushes further.

    >>> through(torch.tensor([-0.3, 0.0, 5.0])).tolist()
    [-1.0, 1.0, 1.0]
    """
    signs = torch.where(vectors >= 0, 1.0, -1.0)
    kept = vectors.clamp(-2.0, 2.0)
    return signs.detach() + (kept - kept.detach())  # in this order: a sign stays one to the last bit
