"""The contract of heads: the small models that turn banked vectors into outputs.

A head is trained by one of the estimators in this folder and then *served* as a few affine maps. Whatever it did to
its inputs while it was trained (centring, scaling, rotation) is folded into those maps, so that a prediction is plain
`X @ weights + bias` on decoded float32 vectors, and the first layers of many heads can be laid side by side in one
matrix product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Shaped

from embank.arrays import Matrix, Outputs, Probabilities
from embank.errors import HeadError
from embank.labels.kinds import Kind


@dataclass(frozen=True, eq=False)
class Affine:
    """One affine map of vectors to outputs: `X @ weights + bias`.

    Attributes:
        weights: float32 `[width, outputs]`.
        bias: float32 `[outputs]`.

    Raises:
        HeadError: the two do not fit together, are not float32, or are not finite.
    """

    weights: Matrix
    bias: Float32[np.ndarray, " outputs"]

    def __post_init__(self) -> None:
        """Refuse what could not be multiplied, here rather than in the middle of a scan."""
        if self.weights.ndim != 2 or self.bias.shape != self.weights.shape[1:]:  # noqa: PLR2004 (a matrix)
            raise HeadError(
                f"found weights {self.weights.shape} with bias {self.bias.shape}, "
                "expected [width, outputs] and [outputs]; build the layer from a fitted estimator's serve()"
            )
        if self.weights.dtype != np.float32 or self.bias.dtype != np.float32:
            raise HeadError(f"found {self.weights.dtype} and {self.bias.dtype}, expected float32; convert them first")
        if not (np.isfinite(self.weights).all() and np.isfinite(self.bias).all()):
            raise HeadError("found NaN or infinite weights, expected finite ones; fit again with a stronger penalty")

    @property
    def width(self) -> int:
        """How wide the vectors are that it reads."""
        return int(self.weights.shape[0])

    @property
    def outputs(self) -> int:
        """How many outputs it has."""
        return int(self.weights.shape[1])


@runtime_checkable
class Head(Protocol):
    """What prediction needs to know of a head."""

    @property
    def kind(self) -> Kind:
        """What is predicted."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs, in their order; empty for regression."""

    @property
    def layers(self) -> tuple[Affine, ...]:
        """One affine map, or two with a ReLU between them."""

    @property
    def temperature(self) -> float:
        """What outputs are divided by before they become probabilities."""

    @property
    def offsets(self) -> tuple[float, ...]:
        """What is added to outputs before deciding, one a label; empty for nothing."""

    def probabilities(self, outputs: Outputs) -> Probabilities:
        """Outputs to calibrated probabilities `[texts, labels]`; refuses a regression."""

    def decide(self, outputs: Outputs) -> Shaped[np.ndarray, "..."]:
        """Outputs to decisions: label numbers, a 0/1 matrix, or numbers."""


@runtime_checkable
class Estimator(Protocol):
    """What the fitting side of every head looks like, in scikit-learn's manner."""

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from vectors `[texts, width]` and their labels."""

    def predict(self, X: Any) -> Shaped[np.ndarray, "..."]:
        """Predict labels, a 0/1 matrix, or numbers."""

    def serve(self, labels: Sequence[str]) -> Head:
        """Turn what was fitted into a served head with these label names."""
