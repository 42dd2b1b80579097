"""Objectives: targets of examples, the loss, and measures of a model's outputs; here for whole texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch

from embank.heads import Affine
from embank.heads.calibration import temperature
from embank.heads.served import ServedHead
from embank.heads.thresholds import multi_offsets, single_offsets
from embank.labels.kinds import Kind
from embank.metrics.classification import PRIMARY, baseline, measures
from embank.training.datasets import Objective, Which
from embank.training.losses import class_loss

Outputs = Sequence[np.ndarray]
"""For each example what a model gave: `[outputs]`, or `[tokens, outputs]` of kinds that read tokens."""

PLAIN: Mapping[str, Any] = MappingProxyType({})
"""Nothing was learned from held-back examples: decisions are plain."""


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets of a batch.

    Attributes:
        values: class numbers `[batch]`, 0 and 1 `[batch, labels]`, numbers `[batch]`, tag numbers `[batch, length]`, or
            the places of first and last tokens `[batch, 2]`; IGNORED where nothing is learned from.
        allowed: `[batch, length]`, 1 where spans may stand; None for other kinds.
    """

    values: torch.Tensor
    allowed: torch.Tensor | None = None


class TaskObjective(Objective[Targets], Protocol):
    """One task's examples, as a model is trained and scored on them.

    The loss is a mean over texts, labels or tokens, in float32; see `embank.training.losses`.
    """

    @property
    def kind(self) -> Kind:
        """What is predicted."""
        ...

    @property
    def n_outputs(self) -> int:
        """Outputs of the model."""
        ...

    @property
    def primary(self) -> str:
        """The measure that counts."""
        ...

    def init_bias(self, train: Which) -> np.ndarray | None:
        """The output layer's first bias, `[outputs]`, so that rare labels begin rare; None for zeros."""
        ...

    def measure(self, which: Which, outputs: Outputs, learned: Mapping[str, Any] = PLAIN) -> dict[str, float]:
        """How good outputs of some examples are, decided with what `calibrated` gave; plainly without it."""
        ...

    def guess(self, train: Which, which: Which) -> dict[str, float]:
        """The measures of guessing without reading the texts, from the labels of training examples."""
        ...

    def calibrated(self, which: Which, outputs: Outputs) -> dict[str, Any]:
        """Calibration from outputs on held-back examples: temperature and offsets; also scale and names."""
        ...


def init_bias(output: torch.nn.Linear, bias: np.ndarray | None) -> None:
    """Give an output layer its first bias: steps that only learn what is rare would be far too large for all else.

    Lin et al. 2017 (1708.02002), section 3.3, begin a detector like this, most of whose places are background.
    """
    if bias is not None:
        with torch.no_grad():
            output.bias.copy_(torch.from_numpy(bias))


@dataclass(frozen=True, eq=False, kw_only=True)
class PooledObjective:
    """A class, labels or a number for each text.

    Attributes:
        kind: "single", "multi" or "regression".
        y: class names `[texts]`, a 0/1 matrix `[texts, labels]`, or numbers `[texts]`.
        labels: names of classes or labels; empty for a regression.
        train: examples that are trained on: numbers are brought to their mean 0 and deviation 1.
        fixed_scale: mean and deviation where others decide them, as for test rows; None: those of `train`.
    """

    kind: Kind
    y: np.ndarray
    labels: tuple[str, ...]
    train: Which
    fixed_scale: tuple[float, float] | None = None

    @property
    def n_outputs(self) -> int:
        """As many as labels; one for a number."""
        return max(1, len(self.labels))

    @property
    def primary(self) -> str:
        """The measure that counts."""
        return PRIMARY[self.kind]

    @cached_property
    def scale(self) -> tuple[float, float]:
        """Mean and deviation of the numbers that are trained on; 0 and 1 for labels."""
        if self.kind != "regression":
            return 0.0, 1.0
        if self.fixed_scale is not None:
            return self.fixed_scale
        numbers = self.y[self.train]
        return float(numbers.mean()), float(numbers.std()) or 1.0

    @cached_property
    def _numbers(self) -> np.ndarray:
        if self.kind == "single":
            return np.searchsorted(np.array(self.labels), self.y).astype(np.int64)
        if self.kind == "multi":
            return self.y.astype(np.float32)
        return ((self.y - self.scale[0]) / self.scale[1]).astype(np.float32)

    def targets(self, which: Which, length: int) -> Targets:
        """Class numbers, 0 and 1, or scaled numbers."""
        del length
        return Targets(torch.from_numpy(self._numbers[which]))

    def loss(self, outputs: torch.Tensor, targets: Targets) -> torch.Tensor:
        """Cross entropy, binary cross entropy or squared error."""
        return class_loss(self.kind, outputs, targets.values)

    def init_bias(self, train: Which) -> np.ndarray | None:
        """Log odds of labels of which a text may have several; for classes it made no difference."""
        if self.kind != "multi":
            return None
        with_it = self.y[train].sum(axis=0)
        odds: np.ndarray = np.log((with_it + 1) / (len(train) - with_it + 1)).astype(np.float32)
        return odds

    def measure(self, which: Which, outputs: Outputs, learned: Mapping[str, Any] = PLAIN) -> dict[str, float]:
        """As for linear heads, with the thresholds that were learned."""
        decided = self.served(learned).decide(self.scaled(np.stack(outputs)))
        guess = np.array(self.labels)[decided] if self.kind == "single" else decided
        return measures(self.y[which], guess, self.kind)

    def scaled(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs in the unit of the numbers."""
        mean, deviation = self.scale
        return (outputs * deviation + mean).astype(np.float32) if self.kind == "regression" else outputs

    def guess(self, train: Which, which: Which) -> dict[str, float]:
        """As for linear heads."""
        return baseline(self.y[train], self.y[which], self.kind)

    def calibrated(self, which: Which, outputs: Outputs) -> dict[str, Any]:
        """Temperature and offsets, as for linear heads; mean and deviation of numbers."""
        if self.kind == "regression":
            return {"scale": list(self.scale)}
        logits, truth = np.stack(outputs), self._numbers[which]
        lean = single_offsets if self.kind == "single" else multi_offsets
        found = temperature(logits, truth, self.kind)
        return {"temperature": found, "offsets": [float(one) for one in lean(logits, truth.astype(np.int64))]}

    def served(self, learned: Mapping[str, Any]) -> ServedHead:
        """A head without weights that decides as this kind does."""
        return decider(self.kind, self.labels, learned)


def decider(kind: Kind, labels: Sequence[str], learned: Mapping[str, Any]) -> ServedHead:
    """A head that only decides and calibrates: its outputs are a tail's."""
    outputs = max(1, len(labels))
    nothing = Affine(np.eye(outputs, dtype=np.float32), np.zeros(outputs, np.float32))
    offsets = tuple(learned.get("offsets", ()))
    return ServedHead(
        kind=kind,
        labels=tuple(labels),
        layers=(nothing,),
        temperature=float(learned.get("temperature", 1.0)),
        offsets=offsets,
    )
