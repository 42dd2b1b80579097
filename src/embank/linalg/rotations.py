"""Rotations: onto the principal axes of a sample, and random ones."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float64, Shaped

_BLOCK: Final = 8192
"""Texts whose products are summed at a time, which bounds the memory for float64."""


@dataclass(frozen=True, eq=False)
class Axes:
    """An orthonormal basis, strongest axis first.

    Attributes:
        directions: one axis per column, `[width, axes]`.
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
    return _axes_of(shrunk_covariance(sample))


def leading_axes(sample: Shaped[np.ndarray, "texts width"], axes: int) -> Float64[np.ndarray, "width axes"]:
    """Return the axes onto which vectors keep the most of their squared length, strongest first.

    No mean is taken away: of all projections to so few dimensions, this one keeps the products of all pairs of the
    sample best (Eckart and Young, "The approximation of one matrix by another of lower rank", 1936).

    Args:
        sample: vectors in any precision; some thousand texts do.
        axes: how many, at most the width.
    """
    width = sample.shape[1]
    moments = np.zeros((width, width))
    for start in range(0, len(sample), _BLOCK):
        part = sample[start : start + _BLOCK].astype(np.float64)
        moments += part.T @ part
    return _axes_of(moments / max(1, len(sample))).directions[:, :axes]


def _axes_of(moments: Float64[np.ndarray, "width width"]) -> Axes:
    """Eigenvectors of a symmetric matrix, those of the largest eigenvalues first, with their signs settled."""
    variances, directions = np.linalg.eigh(moments)
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
