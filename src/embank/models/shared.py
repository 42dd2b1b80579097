"""One encoder under the heads of several tasks, as a torch module."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch

from embank.encoders.capture import states
from embank.encoders.pooling import pool as pooled
from embank.encoders.torch import TransformerEncoder
from embank.labels.kinds import POOLED, Kind
from embank.models.output_layer import output_layer

_REACH = 700.0
"""What the inputs of a head weigh together: dimensions of deviation 1 are scaled to this share of their number, for a
step of the optimiser moves every weight alike, and so an output by all dimensions together (bench/log/2026-11.md)."""

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


class SharedEncoder(torch.nn.Module):
    """All layers of an encoder, and an output layer for each task; everything is trained."""

    centre: torch.Tensor
    spread: torch.Tensor

    def __init__(
        self,
        encoder: TransformerEncoder,
        heads: Sequence[HeadShape],
        readouts: Sequence[tuple[int, str]],
        seed: int,
        dropout: float = 0.0,
    ) -> None:
        """Train a loaded encoder that nobody else uses.

        Args:
            encoder: a `TransformerEncoder` in float32.
            heads: of the tasks, in their order.
            readouts: layer and pooling of each vector that the heads read side by side.
            seed: of the output layers' first weights.
            dropout: on the heads' inputs in training.
        """
        super().__init__()
        self.model, self.shapes, self.readouts = encoder.model, tuple(heads), tuple(readouts)
        self.n_layers = encoder.n_layers
        width = encoder.width * len(self.readouts)
        generator = torch.Generator().manual_seed(seed)
        self.dropout = torch.nn.Dropout(dropout)
        self.heads = torch.nn.ModuleList()
        for shape in heads:
            inputs = encoder.width if shape.kind not in POOLED else width * (4 if shape.apart else 1)
            self.heads.append(output_layer(inputs, shape.outputs, generator))
        # Dimensions are brought to mean 0 and deviation 1 as the encoder had them before training: heads learn at once.
        # Constant from then on, so that a training can be taken up again.
        self.register_buffer("centre", torch.zeros(width), persistent=False)
        self.register_buffer("spread", torch.ones(width), persistent=False)
        self.to(encoder.device)

    def head(self, number: int) -> torch.nn.Linear:
        """The output layer of one task."""
        head = self.heads[number]
        assert isinstance(head, torch.nn.Linear)  # noqa: S101 - for mypy
        return head

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's own signature
        """Switch the dropout of the heads' inputs; the encoder never has dropout (bench/log/2026-11.md)."""
        super().train(mode)
        self.model.train(mode=False)
        return self

    def standardise(self, vectors: torch.Tensor) -> None:
        """Take the middle and the deviation of each dimension from vectors `[texts, width]` of the raw encoder."""
        deviations = vectors.std(0)
        # Maxima of some dimensions are those of a special token, alike in all texts; they must not be blown up.
        least = max(float(deviations.median()) * _LEAST, torch.finfo(torch.float32).tiny)
        self.centre = vectors.mean(0).to(self.centre.device)
        self.spread = deviations.clamp_min(least).to(self.spread.device)

    def vectors(self, pool: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Vectors of texts: the readouts, side by side, `[batch, width]` in float32."""
        layers = sorted({layer for layer, _ in self.readouts})
        found = dict(zip(layers, states(self.model, inputs, layers, self.n_layers), strict=True))
        return torch.cat([pooled(found[layer], pool, mode) for layer, mode in self.readouts], dim=-1)

    def read(self, source: torch.Tensor, pool: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Run all layers: the inputs of one task's head, `[batch, inputs]` or `[batch, length, inputs]`.

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
