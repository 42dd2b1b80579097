"""The spectrum of a design matrix: centred, scaled and rotated so that its columns are uncorrelated.

One eigendecomposition, of the smaller side of the Gram matrix, is shared by every penalty, every fold and every output:
ridge regression is closed form in these coordinates, and logistic regression has a good diagonal preconditioner.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64
from scipy.linalg import eigh

from embank.arrays import PerDimension, Vectors
from embank.heads import Affine

# Directions with less than this share of the largest variance are rounding noise of float32 sums.
NOISE = 1e-6
# The smallest float32 that is not denormal: what is compared with where everything is zero.
SMALLEST = 1.2e-38
# A column whose deviation is below this share of its size is constant, as far as float32 can tell.
CONSTANT = 1e-5


@dataclass(frozen=True, eq=False)
class Principal:
    """Rows in their own principal coordinates.

    Attributes:
        rows: float32 `[texts, rank]`, the rotated rows; column j has mean 0 and mean square `variances[j]`.
        variances: float64 `[rank]`, largest first.
    """

    rows: Float32[np.ndarray, "texts rank"]
    variances: Float[np.ndarray, " rank"]

    @property
    def rank(self) -> int:
        """In how many directions the rows vary."""
        return int(self.variances.size)


@dataclass(frozen=True, eq=False)
class Spectrum(Principal):
    """Rows in their own principal coordinates, and the way there and back.

    Attributes:
        rotation: float32 `[width, rank]`, orthonormal columns.
        centre: float32 `[width]`, subtracted before.
        scale: float32 `[width]`, divided by before.
    """

    rotation: Float32[np.ndarray, "width rank"]
    centre: PerDimension
    scale: PerDimension

    def unfold(self, weights: Float[np.ndarray, "rank outputs"], bias: Float[np.ndarray, " outputs"]) -> Affine:
        """Weights on rotated rows to an affine map of vectors as they came."""
        plain = (self.rotation.astype(np.float64) @ weights) / self.scale[:, None]
        shifted = bias - self.centre.astype(np.float64) @ plain
        return Affine(plain.astype(np.float32), shifted.astype(np.float32))


def spectrum(X: Vectors) -> Spectrum:
    """Decompose a design matrix.

    Args:
        X: float32 `[texts, width]`; each column is divided by its standard deviation (as StandardScaler does) first.
    """
    rows, centre, scale = standardised(X)
    tall = rows.shape[0] >= rows.shape[1]
    variances, rotation = _tall(rows) if tall else _wide(rows)
    return Spectrum(rows @ rotation, variances, rotation, centre, scale)


def standardised(X: Vectors) -> tuple[Vectors, PerDimension, PerDimension]:
    """Rows with columns of mean 0 and deviation 1; the means, and the deviations."""
    centre = X.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows = X - centre
    deviation = np.sqrt(np.square(rows).mean(axis=0, dtype=np.float64)).astype(np.float32)
    constant = deviation <= CONSTANT * np.maximum(np.abs(centre), np.float32(1e-20))
    scale = np.where(constant, np.float32(1), deviation)
    rows /= scale
    rows[:, constant] = 0
    return rows, centre, scale


def principal(products: Float[np.ndarray, "texts texts"]) -> Principal:
    """Principal coordinates of rows of which only the products with each other are known.

    Args:
        products: of centred rows.
    """
    count = products.shape[0]
    variances, vectors = eigh(products.astype(np.float32) / np.float32(count), check_finite=False, overwrite_a=True)
    kept = _varying(variances)
    rows = vectors[:, kept] * np.sqrt(variances[kept] * count)
    return Principal(rows.astype(np.float32), variances[kept].astype(np.float64))


def _tall(rows: Vectors) -> tuple[Float[np.ndarray, " rank"], Float32[np.ndarray, "width rank"]]:
    """Eigenvectors of the `[width, width]` side."""
    variances, vectors = eigh(rows.T @ rows / np.float32(rows.shape[0]), check_finite=False, overwrite_a=True)
    kept = _varying(variances)
    return variances[kept].astype(np.float64), np.ascontiguousarray(vectors[:, kept])


def _wide(rows: Vectors) -> tuple[Float[np.ndarray, " rank"], Float32[np.ndarray, "width rank"]]:
    """Eigenvectors of the `[texts, texts]` side, mapped back to columns."""
    variances, vectors = eigh(rows @ rows.T / np.float32(rows.shape[0]), check_finite=False, overwrite_a=True)
    kept = _varying(variances)
    lengths = np.sqrt(variances[kept] * rows.shape[0])
    rotation = (rows.T @ vectors[:, kept]) / lengths
    return variances[kept].astype(np.float64), np.ascontiguousarray(rotation, dtype=np.float32)


def _varying(variances: Float[np.ndarray, " side"]) -> Int64[np.ndarray, " rank"]:
    """Positions of directions above rounding noise, largest first; the largest is kept in any case."""
    order = np.arange(variances.size)[::-1]
    above = variances[order] > NOISE * max(float(variances[-1]), SMALLEST)
    above[0] = True
    return order[above]
