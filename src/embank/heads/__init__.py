"""The contract of heads: the small models that turn banked vectors into outputs.

A head is trained by one of the estimators in this folder and then *served* as a few affine maps. Whatever it did to
its inputs while it was trained (centring, scaling, rotation) is folded into those maps, so that a prediction is plain
`X @ weights + bias` on decoded float32 vectors, and the first layers of many heads can be laid side by side in one
matrix product.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from embank.arrays import Matrix, Vectors
from embank.errors import HeadError


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
        if self.weights.ndim != 2 or self.bias.shape != self.weights.shape[1:]:
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


def paired(first: Vectors, second: Vectors) -> Float32[np.ndarray, "texts paired"]:
    """Vectors u and v as [u, v, |u - v|, u * v] (Conneau et al. 2017, InferSent, section 3.1)."""
    return np.hstack([first, second, np.abs(first - second), first * second])
