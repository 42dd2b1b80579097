"""A tail, trained on states: batches out of a source, a loop, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from embank.arrays import TextIds
from embank.encode.state_loader import StateSource
from embank.models.tail import Tail, loss
from embank.training.datasets import Inputs, in_stretches, padded
from embank.training.loop import Run, Trained, on_device, train
from embank.training.objectives import Objective, Which
from embank.training.precision import precision
from embank.training.settings import TrainingSettings, TrainingWatch

_BUDGET = 4096
"""Tokens of a batch that is only predicted."""


class StateLessons:
    """Examples whose states a source gives."""

    def __init__(self, source: StateSource, texts: TextIds, objective: Objective, skip: int) -> None:
        """Serve examples.

        Args:
            source: of states.
            texts: numbers of the examples' texts.
            objective: their targets.
            skip: positions at the head of a text that pooling leaves out.
        """
        self.lengths: Int64[np.ndarray, " examples"] = source.lengths(texts)
        self._source, self._texts, self._objective, self._skip = source, texts, objective, skip

    def inputs(self, which: Which) -> Inputs:
        """States, mask and pool of some examples."""
        return padded(self._source.blocks(self._texts[which]), self._skip)

    def targets(self, which: Which, length: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Targets of some examples."""
        return self._objective.targets(which, length)


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the lessons, numbered anew: a loop sees training examples only."""

    lessons: Any
    chosen: Which

    @property
    def lengths(self) -> Int64[np.ndarray, " examples"]:
        """Tokens of each example."""
        return np.asarray(self.lessons.lengths[self.chosen], np.int64)

    def inputs(self, which: Which) -> Inputs:
        """What the module reads of some examples."""
        found: Inputs = self.lessons.inputs(self.chosen[which])
        return found

    def targets(self, which: Which, length: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Targets of some examples."""
        found: tuple[torch.Tensor, torch.Tensor | None] = self.lessons.targets(self.chosen[which], length)
        return found


@dataclass(frozen=True, eq=False)
class Assignment:
    """What is learned, and on what.

    Attributes:
        lessons: all examples.
        objective: what is asked of them.
        train: numbers of the examples that are trained on.
        held_back: numbers of those that validate.
    """

    lessons: Any
    objective: Objective
    train: Which
    held_back: Which


def learn(
    module: Any,
    assignment: Assignment,
    settings: TrainingSettings,
    keep: tuple[str, Path | None] = ("", None),
    watch: TrainingWatch = lambda _: None,
) -> Trained:
    """Train a tail, or any module with its face.

    Args:
        module: what is trained, in place.
        assignment: examples.
        settings: how, with a learning rate.
        keep: the identity of this training, and where its checkpoint is kept, if it is.
        watch: told after every step.

    Raises:
        HeadError: training went astray.
    """
    objective, held = assignment.objective, assignment.held_back

    def validate() -> float:
        return objective.measure(held, outputs_of(module, assignment.lessons, held))[objective.primary]

    lessons = Part(assignment.lessons, assignment.train)
    if hasattr(module, "output"):
        begin(module.output, objective.beginning(assignment.train))

    def objective_loss(logits: torch.Tensor, which: Which) -> torch.Tensor:
        return taught(objective, lessons, logits, which)

    return train(Run(module, lessons, objective_loss, validate, settings, keep[0], keep[1]), watch)


def begin(output: Any, bias: np.ndarray | None) -> None:
    """Give an output layer its first bias: steps that only learn what is rare would be far too large for all else.

    Lin et al. 2017 (1708.02002), section 3.3, begin a detector like this, most of whose places are background.
    """
    if bias is not None:
        with torch.no_grad():
            output.bias.copy_(torch.from_numpy(bias))


def taught(objective: Objective, lessons: Any, logits: torch.Tensor, which: Which) -> torch.Tensor:
    """The loss of logits on the targets of some examples."""
    targets, allowed = lessons.targets(which, logits.shape[1])
    everywhere = torch.ones(logits.shape[:2]) if allowed is None else allowed
    return loss(objective.kind, logits, targets.to(logits.device), everywhere.to(logits.device))


def outputs_of(module: Any, lessons: Any, which: Which) -> list[np.ndarray]:
    """What a module gives for each example: `[outputs]`, or `[tokens, outputs]` of kinds that read tokens."""
    module.train(mode=False)
    found: list[np.ndarray] = [np.empty(0, np.float32)] * len(which)
    lengths = lessons.lengths[which]
    with torch.inference_mode():
        for places in in_stretches(lengths, _BUDGET):
            with precision():
                logits = module(**on_device(lessons.inputs(which[places]), module)).float().cpu().numpy()
            for place, row in zip(places.tolist(), logits, strict=True):
                found[place] = row if row.ndim == 1 else row[: lengths[place]]
    return found


def run_tails(
    tails: Mapping[str, Tail], source: StateSource, texts: TextIds, skip: int
) -> dict[str, Sequence[np.ndarray]]:
    """Outputs of several tails that start from the same states, which are read once."""
    lengths = source.lengths(texts)
    found: dict[str, list[np.ndarray]] = {name: [np.empty(0, np.float32)] * len(texts) for name in tails}
    with torch.inference_mode():
        for places in in_stretches(lengths, _BUDGET):
            inputs = padded(source.blocks(texts[places]), skip)
            for name, tail in tails.items():
                with precision():
                    logits = tail(**on_device(inputs, tail)).float().cpu().numpy()
                for place, row in zip(places.tolist(), logits, strict=True):
                    found[name][place] = row if row.ndim == 1 else row[: lengths[place]]
    return dict(found)
