"""Training on the labelled examples of one task, validated on those that are held back, and scores afterwards."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from embank.training.checkpoint import CheckpointFile
from embank.training.datasets import InputSource, LabelledDataset, Which
from embank.training.loop import Run, Trained, train
from embank.training.objectives import Targets, TaskObjective, init_bias
from embank.training.outputs import Trainable, predict_outputs
from embank.training.settings import TrainingSettings, TrainingWatch


@dataclass(frozen=True, eq=False)
class LabelledSplit:
    """Labelled examples of one task, some of which are held back.

    Attributes:
        inputs: of all examples.
        objective: what is asked of them.
        train: numbers of the examples that are trained on.
        held_back: numbers of those that validate.
    """

    inputs: InputSource
    objective: TaskObjective
    train: Which
    held_back: Which

    @property
    def training(self) -> LabelledDataset[Targets]:
        """The examples that are trained on."""
        return LabelledDataset(self.inputs, self.objective, self.train)

    def validate(self, module: Trainable) -> float:
        """The primary measure of a module on the examples that are held back."""
        outputs = predict_outputs(module, self.inputs, self.held_back)
        return float(self.objective.measure(self.held_back, outputs)[self.objective.primary])


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores:
    """How good a trained module is.

    Attributes:
        learned: temperature and offsets of the outputs, scale of numbers; from held-back examples.
        train: measures on the training examples.
        validation: measures on the held-back examples.
        baseline: the same of guessing without reading.
        texts_per_second: of predicting the held-back examples.
    """

    learned: Mapping[str, Any]
    train: Mapping[str, float]
    validation: Mapping[str, float]
    baseline: Mapping[str, float]
    texts_per_second: float


def train_supervised(
    module: Trainable,
    data: LabelledSplit,
    settings: TrainingSettings,
    checkpoint: CheckpointFile | None = None,
    watch: TrainingWatch = lambda _: None,
) -> Trained:
    """Train a module with an output layer on one task.

    Args:
        module: what is trained, in place; the bias of its `output` is set first, where it has one.
        data: examples.
        settings: how, with a learning rate.
        checkpoint: where checkpoints are kept, or None.
        watch: progress callback, called after every step.

    Raises:
        HeadError: training went astray.
    """
    output = getattr(module, "output", None)
    if isinstance(output, torch.nn.Linear):
        init_bias(output, data.objective.init_bias(data.train))
    run = Run(
        module=module,
        dataset=data.training,
        validate=lambda: data.validate(module),
        settings=settings,
        checkpoint=checkpoint,
    )
    return train(run, watch)


def score(module: Trainable, data: LabelledSplit) -> Scores:
    """Calibrate a trained module on held-back examples, and measure it on all."""
    started = time.monotonic()
    on_held_back = predict_outputs(module, data.inputs, data.held_back)
    seconds = time.monotonic() - started
    objective = data.objective
    learned = objective.calibrated(data.held_back, on_held_back)
    on_train = predict_outputs(module, data.inputs, data.train)
    return Scores(
        learned=learned,
        train=objective.measure(data.train, on_train, learned),
        validation=objective.measure(data.held_back, on_held_back, learned),
        baseline=objective.guess(data.train, data.held_back),
        texts_per_second=len(data.held_back) / max(seconds, 1e-9),
    )
