"""The loss of a student of vectors, and the similarities that it is scored by."""

import numpy as np
import torch
from jaxtyping import Float32

from embank.arrays import Vectors
from embank.distill.settings import ProjectionSettings, TeacherSpace
from embank.linalg.cosine import unit
from embank.metrics.ranking import spearman
from embank.training.datasets import Which

_PARTS = 20
_PAIRS = 1000
"""Pairs that are compared of each part of the range of similarities, at the most."""


class VectorObjective:
    """The teacher's vectors after the PCA as targets; squared error, and the angle in the recipe "best".

    The squared error is divided by the targets' mean square, so that it means the same whatever the teacher.

    Attributes:
        space: from the teacher's vectors to targets.
        all_targets: `[texts, width]`.
        settings: of the distillation.
    """

    def __init__(self, vectors: Vectors, space: TeacherSpace, chosen: Which, settings: ProjectionSettings) -> None:
        """Compare with `vectors`, `[texts, teacher's width]`; constants are taken from the `chosen` texts."""
        self.space, self.all_targets, self._vectors, self.settings = space, space(vectors), vectors, settings
        squares = np.square(self.all_targets[chosen].astype(np.float64)).mean(axis=0)
        widths = tuple(sorted({*settings.all_widths, len(squares)})) if settings.bends else (len(squares),)
        self._squares = {width: max(float(squares[:width].mean()), 1e-12) for width in widths}

    def targets(self, which: Which, length: int) -> torch.Tensor:
        """Targets of some texts, `[batch, learned]`."""
        del length
        return torch.from_numpy(self.all_targets[which])

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of a student's vectors `[batch, learned]`: the mean over all widths that are trained."""
        targets = targets.to(outputs.device)
        total = outputs.new_zeros(())
        for width, square in self._squares.items():
            own, aim = outputs[:, :width], targets[:, :width]
            total = total + (own - aim).square().mean() / square
            if self.settings.recipe == "best":
                total = total + (1 - (_units(own) * _units(aim)).sum(-1).mean())
        return total / len(self._squares)

    def spearmans(self, outputs: Vectors, which: Which) -> dict[int, float]:
        """For every width, the rank correlation of cosines of pairs with those of the teacher's whole vectors."""
        whole = unit(self._vectors[which])
        similarities = whole @ whole.T
        pairs = spread_pairs(similarities)
        found = {}
        for width in self.settings.all_widths:
            own = unit(outputs[:, :width])
            found[width] = spearman((own @ own.T)[pairs], similarities[pairs])
        return found


def spread_pairs(similarities: Float32[np.ndarray, "texts texts"]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of texts from the whole range of similarities, at most 1000 from each twentieth of it.

    Nearly all pairs of a corpus have nothing in common: a correlation over all of them would say little of those that
    have. No pair is drawn at random.

    Returns:
        Numbers of the first and of the second texts.
    """
    first, second = np.triu_indices(len(similarities), 1)
    found = similarities[first, second]
    low, high = float(found.min()), float(found.max())
    parts = ((found - low) * (_PARTS / (high - low) if high > low else 0.0)).astype(np.int64)
    kept = []
    for part in range(_PARTS + 1):  # the highest similarity has a part of its own
        inside = np.flatnonzero(parts == part)
        kept.append(inside[:: max(1, len(inside) // _PAIRS)][:_PAIRS])
    chosen = np.concatenate(kept)
    return first[chosen], second[chosen]


def _units(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)
