"""Rotations: onto the principal axes of a sample, and random ones."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, eq=False)
class Axes:
    """An orthonormal basis, strongest axis first.

    Attributes:
        directions: one axis a column, `[width, axes]`.
        variances: of the sample along each axis, `[axes]`, descending, never negative.
    """

    directions: Float64[np.ndarray, "width axes"]
    variances: Float64[np.ndarray, " axes"]


def principal_axes(sample: Float64[np.ndarray, "texts width"]) -> Axes:
    """Return all principal axes of a sample, of its shrunk covariance.

    Axes have no sign of their own; here the largest entry of each is positive, so that machines agree.

    Args:
        sample: vectors, centred or not; one text is enough for valid axes, a few hundred for good ones.
    """
    variances, directions = np.linalg.eigh(shrunk_covariance(sample))
    variances, directions = variances[::-1], directions[:, ::-1]
    largest = directions[np.abs(directions).argmax(axis=0), np.arange(len(variances))]
    return Axes(directions * np.where(largest < 0, -1.0, 1.0), np.maximum(variances, 0.0))


def shrunk_covariance(sample: Float64[np.ndarray, "texts width"]) -> Float64[np.ndarray, "width width"]:
    """Return the covariance, drawn towards a multiple of the identity by as much as the sample is too small.

    With fewer texts than dimensions the plain covariance claims that most directions have no variance at all.
    Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004.
    """
    texts, width = sample.shape
    centred = sample - sample.mean(axis=0)
    plain = centred.T @ centred / texts
    target = np.trace(plain) / width * np.eye(width)
    distance = ((plain - target) ** 2).sum()
    squared = centred**2
    noise = (squared.T @ squared / texts - plain**2).sum() / texts
    share = min(noise, distance) / distance if distance > 0 else 0.0
    shrunk: Float64[np.ndarray, "width width"] = (1 - share) * plain + share * target
    return shrunk


def random_rotation(size: int, seed: int) -> Float64[np.ndarray, "size size"]:
    """Return an orthogonal matrix, all equally likely.

    Mezzadri, "How to generate random matrices from the classical compact groups", 2007: without the signs of R's
    diagonal, QR prefers some rotations.
    """
    turned, triangle = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    rotation: Float64[np.ndarray, "size size"] = turned * np.where(np.diag(triangle) < 0, -1.0, 1.0)
    return rotation
