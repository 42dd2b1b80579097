"""Learned pooling as torch modules: states of layers in, vectors of texts out, and an output layer to learn them by."""

from collections.abc import Mapping

import torch
from torch.nn.functional import layer_norm

from embank.encoders.pooling import pool as pooled
from embank.errors import UsageError
from embank.models.output_layer import output_layer
from embank.models.pooling_design import PoolingDesign

_QUERY_SPREAD = 0.5
"""First queries: far enough apart to become different, so near to nothing that attention begins as nearly a mean."""


class LearnedPooling(torch.nn.Module):
    """Pools states over positions and layers.

    Attention gives each position the score of a query with its state, which is brought to mean 0 and deviation 1 for
    this and divided by the root of its width; the vector is the mean of the states as they are, weighted by the softmax
    of the scores. Several queries give several vectors, side by side.

    Attributes:
        design: how.
        width: dimensions of a state.
    """

    def __init__(self, design: PoolingDesign, width: int, seed: int = 0) -> None:
        """Make the first weights; torch's own random numbers are not touched."""
        super().__init__()
        self.design, self.width = design, width
        random = torch.Generator().manual_seed(seed)
        n_layers = len(design.layers)
        if design.over == "attention":
            reads = width * (n_layers if design.mix == "concatenated" else 1)
            stages = n_layers if design.mix == "two-stage" else 1
            first = torch.randn(stages, design.queries, reads, generator=random)
            self.queries = torch.nn.Parameter(_QUERY_SPREAD * first)
        if design.mix == "scalar":
            self.weights = torch.nn.Parameter(torch.zeros(n_layers))
            self.factor = torch.nn.Parameter(torch.ones(()))
        if design.mix == "two-stage":
            first = torch.randn(design.queries, width, generator=random)
            self.layer_queries = torch.nn.Parameter(_QUERY_SPREAD * first)

    def forward(self, states: torch.Tensor, pool: torch.Tensor) -> torch.Tensor:
        """Pool a batch, in float32 also where all around it computes in less.

        Args:
            states: `[batch, layers, length, width]`; what stands where `pool` is 0 is of no account.
            pool: `[batch, length]`, 1 where pooling looks; at least one place a row.

        Returns:
            `[batch, vectors * width]`, or `[batch, vectors * layers * width]` of layers side by side.
        """
        with torch.autocast(states.device.type, enabled=False):
            states = states.float().masked_fill(pool[:, None, :, None] == 0, 0.0)
            if self.design.mix == "two-stage":
                return self._over_layers(states, pool).flatten(1)
            queries = self.queries[0] if self.design.over == "attention" else None
            return self._over_positions(self.mixed(states), pool, queries).flatten(1)

    def mixed(self, states: torch.Tensor) -> torch.Tensor:
        """Layers made one, position by position: `[batch, layers, length, width]` to `[batch, length, width or more]`.

        Raises:
            UsageError: the design pools positions inside each layer first.
        """
        if self.design.mix == "one":
            return states[:, 0]
        if self.design.mix == "concatenated":
            return states.transpose(1, 2).flatten(2)
        if self.design.mix == "scalar":
            shares = self.weights.softmax(0).view(1, -1, 1, 1)
            return self.factor * (shares * states).sum(1)
        raise UsageError("two-stage pooling has no states of its own: it pools the positions of each layer first")

    def _over_positions(self, states: torch.Tensor, pool: torch.Tensor, queries: torch.Tensor | None) -> torch.Tensor:
        """`[batch, length, width]` to `[batch, vectors, width]`."""
        if queries is None:
            return pooled(states, pool, self.design.over).unsqueeze(1)
        return _attended(states, queries.expand(len(states), -1, -1), pool)

    def _over_layers(self, states: torch.Tensor, pool: torch.Tensor) -> torch.Tensor:
        """`[batch, layers, length, width]` to `[batch, vectors, width]`."""
        attention = self.design.over == "attention"
        inside = [
            self._over_positions(states[:, at], pool, self.queries[at] if attention else None)
            for at in range(states.shape[1])
        ]
        vectors = torch.stack(inside, dim=2)  # [batch, vectors, layers, width]
        n_layers = vectors.shape[2]
        everywhere = torch.ones(vectors.shape[0] * vectors.shape[1], n_layers, device=vectors.device)
        queries = self.layer_queries.repeat(len(vectors), 1).unsqueeze(1)
        return _attended(vectors.flatten(0, 1), queries, everywhere).view(len(vectors), -1, self.width)


class PooledHead(torch.nn.Module):
    """Learned pooling and an output layer for one task.

    The output layer reads the vectors brought to mean 0 and deviation 1; the pooling's own output is left as it is.
    """

    def __init__(self, pooling: LearnedPooling, outputs: int, dropout: float, seed: int = 0) -> None:
        """Put an output layer on a pooling."""
        super().__init__()
        self.pooling = pooling
        self.dropout = torch.nn.Dropout(dropout)
        reads = pooling.design.width(pooling.width)
        self.output = output_layer(reads, outputs, torch.Generator().manual_seed(seed))

    def forward(self, states: torch.Tensor, pool: torch.Tensor) -> torch.Tensor:
        """`[batch, layers, length, width]` to `[batch, outputs]`; see `LearnedPooling.forward`."""
        vectors = self.pooling(states, pool)
        logits: torch.Tensor = self.output(self.dropout(layer_norm(vectors, vectors.shape[-1:])))
        return logits

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """All of it."""
        return dict(self.named_parameters())


def weights_of(pooling: LearnedPooling) -> dict[str, torch.Tensor]:
    """Copies of the learned weights, on the CPU; empty if the pooling has none."""
    return {name: parameter.detach().cpu().clone() for name, parameter in pooling.named_parameters()}


def restored(design: PoolingDesign, width: int, weights: Mapping[str, torch.Tensor]) -> LearnedPooling:
    """A pooling with the weights that `weights_of` gave.

    Raises:
        UsageError: they do not fit the design.
    """
    pooling = LearnedPooling(design, width)
    try:
        pooling.load_state_dict(dict(weights))
    except RuntimeError as fault:
        raise UsageError(f"the weights do not fit this pooling ({str(fault).splitlines()[-1].strip()})") from fault
    return pooling.eval()


def _attended(states: torch.Tensor, queries: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Means of states, weighted by attention: `[batch, n, width]` and `[batch, m, width]` to `[batch, m, width]`."""
    width = states.shape[-1]
    scores = queries @ layer_norm(states, (width,)).transpose(1, 2) / width**0.5
    shares = scores.masked_fill(mask.unsqueeze(1) == 0, float("-inf")).softmax(-1)
    attended: torch.Tensor = shares @ states
    return attended
