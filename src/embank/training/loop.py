"""The training loop: AdamW, warm-up and linear decay, clipping, early stopping, and going on after a kill.

What a run computes depends on its seed and settings alone: a run that was killed and went on ends with the same weights
as one that was not disturbed (on the same machine with the same number of threads).
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np
import torch

from embank.errors import HeadError
from embank.training.checkpoint import Checkpoint, CheckpointFile, Position, Tensors
from embank.training.datasets import Dataset, T, shuffled_batches
from embank.training.outputs import Trainable, on_device
from embank.training.precision import Dtype, faster, precision, settled
from embank.training.schedule import learning_rate, parameter_groups
from embank.training.settings import TrainingProgress, TrainingSettings, TrainingWatch

_LEAST_STEPS = 300
"""Heads want about that many steps, however few examples there are."""

_LEAST_EPOCHS = 4
"""Fewest passes if the settings leave their number open."""

Sampler = Callable[[int], list[np.ndarray]]
"""The batches of a pass, by its number from 0: as many in every pass, and the same ones whenever they are asked for."""


@dataclass(frozen=True, eq=False)
class Trained:
    """How training went; the module holds the weights of the best pass.

    Attributes:
        position: where it ended.
        resumed: whether it went on from a checkpoint.
    """

    position: Position
    resumed: bool

    @property
    def summary(self) -> dict[str, Any]:
        """Passes, steps and seconds, in words."""
        return {
            "passes": f"{self.position.best_epoch} of {self.position.epoch}",
            "steps": self.position.step,
            "training seconds": round(self.position.seconds, 1),
        }

    @property
    def passes(self) -> dict[str, float]:
        """The validation score after each pass."""
        return {f"pass {number}": score for number, score in enumerate(self.position.scores, start=1)}


@dataclass(frozen=True, eq=False, kw_only=True)
class Run(Generic[T]):
    """One training.

    Attributes:
        module: what is trained, in place.
        dataset: the training examples.
        validate: scores the module as it is; higher is better.
        settings: how.
        checkpoint: where checkpoints are kept; None: nowhere.
        sampler: puts examples into batches; None: each once a pass, those of like length together.
        prepare: gives output layers the weights that they should begin with, and says how well each does; not called
            where a training goes on. Without it they begin at random, and take larger steps than all else.
    """

    module: Trainable
    dataset: Dataset[T]
    validate: Callable[[], float]
    settings: TrainingSettings
    checkpoint: CheckpointFile | None = None
    sampler: Sampler | None = None
    prepare: Callable[[], Mapping[str, float]] | None = None

    def batches(self, epoch: int) -> list[np.ndarray]:
        """The batches of a pass."""
        settings = self.settings
        if self.sampler is not None:
            return self.sampler(epoch)
        return shuffled_batches(self.dataset.lengths, settings.batch, [settings.seed, epoch])


def train(run: Run[T], watch: TrainingWatch = lambda _: None) -> Trained:
    """Train until the passes are over or validation has not improved for `patience` of them.

    Raises:
        HeadError: no pass had a score, since weights were no numbers any more.
        StorageFullError: a checkpoint cannot be written.
    """
    with torch.random.fork_rng():  # the caller's random numbers are not touched
        loop = _Loop(run)
        with settled(loop.dtype):
            loop.begin()
            while loop.goes_on:
                loop.run_pass(watch)
        return loop.finished()


class _Loop(Generic[T]):
    """A training while it runs."""

    def __init__(self, run: Run[T]) -> None:
        self._run = run
        self._weights = run.module.trainable()
        # Fused: one pass over all weights; without it, the table of words alone costs a quarter of a step on a CPU.
        groups = parameter_groups(self._weights, run.settings, random_outputs=run.prepare is None)
        self._optimiser = torch.optim.AdamW(groups, weight_decay=run.settings.decay, fused=True)
        torch.manual_seed(run.settings.seed)
        self._position = Position(dtype=faster())
        self._best: Tensors = {}
        kept = run.checkpoint.read() if run.checkpoint else None
        if kept:
            self._position, self._best = kept.position, kept.best
            _restore(self._weights, self._optimiser, kept)
        self._resumed = kept is not None
        self._steps = math.ceil(len(run.batches(0)) / run.settings.accumulate)
        self._epochs = run.settings.epochs or max(_LEAST_EPOCHS, math.ceil(_LEAST_STEPS / self._steps))
        self._kept_at = time.monotonic()
        self._began = self._kept_at - self._position.seconds

    @property
    def dtype(self) -> Dtype:
        """The precision of the training, from its first step on."""
        return self._position.dtype

    @property
    def goes_on(self) -> bool:
        position = self._position
        # Taggers of rare tags find nothing at all in their first passes: an F1 of 0 is no score to lose patience with.
        patient = position.epoch - position.best_epoch < self._run.settings.patience or position.best == 0
        return position.epoch < self._epochs and patient

    def begin(self) -> None:
        """Give output layers their first weights, unless training goes on."""
        if self._run.prepare is not None and not self._resumed:
            self._position.first = dict(self._run.prepare())

    def run_pass(self, watch: TrainingWatch) -> None:
        """Go through all examples once, or through the rest of an interrupted pass, and validate."""
        position, settings = self._position, self._run.settings
        total = self._epochs * self._steps
        batches = self._run.batches(position.epoch)
        for start in range(position.batch * settings.accumulate, len(batches), settings.accumulate):
            several = batches[start : start + settings.accumulate]
            rate = learning_rate(settings, position.step, total)
            position.loss_sum += _step(self._run, self._optimiser, several, rate)
            position.step, position.batch = position.step + 1, position.batch + 1
            mean = position.loss_sum / position.batch
            score = position.scores[-1] if position.scores else None
            watch(
                TrainingProgress(
                    step=position.step,
                    steps=total,
                    epoch=position.epoch + 1,
                    epochs=self._epochs,
                    loss=mean,
                    score=score,
                )
            )
            if self._run.checkpoint and time.monotonic() - self._kept_at > self._run.checkpoint.seconds:
                self._keep()
        score = self._run.validate() if self._is_sound() else math.nan
        position.epoch += 1
        position.scores += (score,)
        position.losses += (position.loss_sum / max(position.batch, 1),)
        position.batch, position.loss_sum = 0, 0.0
        if score > position.best:
            position.best, position.best_epoch = score, position.epoch
            self._best = {name: tensor.clone() for name, tensor in _detached(self._weights).items()}
        self._keep()

    def finished(self) -> Trained:
        """Give the module the weights of its best pass."""
        if not self._best:
            losses = ", ".join(f"{loss:.3g}" for loss in self._position.losses)
            raise HeadError(f"training went astray (losses {losses}): try again with a lower learning rate")
        with torch.no_grad():
            for name, parameter in self._weights.items():
                parameter.copy_(self._best[name])
        self._run.module.train(mode=False)
        self._position.seconds = time.monotonic() - self._began
        return Trained(self._position, self._resumed)

    def _is_sound(self) -> bool:
        """Whether all weights are finite. Outputs of other weights are meaningless, and yet may have a score."""
        return all(bool(parameter.isfinite().all()) for parameter in self._weights.values())

    def _keep(self) -> None:
        self._kept_at = time.monotonic()
        if self._run.checkpoint:
            self._position.seconds = self._kept_at - self._began
            kept = Checkpoint(
                identity=self._run.checkpoint.identity,
                position=self._position,
                weights=_detached(self._weights),
                moments=_moments(self._weights, self._optimiser),
                best=self._best,
                random=torch.get_rng_state(),
            )
            kept.write(self._run.checkpoint.path)


def _step(run: Run[T], optimiser: torch.optim.Optimizer, batches: list[np.ndarray], rate: float) -> float:
    """One step on the mean gradient of some batches; returns their mean loss."""
    run.module.train()
    for group in optimiser.param_groups:
        group["lr"] = rate * group["share"]
    optimiser.zero_grad(set_to_none=True)
    total = 0.0
    for which in batches:
        inputs, targets = run.dataset[which]
        with precision():
            outputs = run.module(**on_device(inputs, run.module))
        loss = run.dataset.loss(outputs, targets) / len(batches)
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    torch.nn.utils.clip_grad_norm_(run.module.trainable().values(), run.settings.clip)
    optimiser.step()
    return total


def _detached(weights: dict[str, torch.nn.Parameter]) -> Tensors:
    return {name: parameter.detach() for name, parameter in weights.items()}


def _moments(weights: dict[str, torch.nn.Parameter], optimiser: torch.optim.Optimizer) -> Tensors:
    found: Tensors = {}
    for name, parameter in weights.items():
        for kind, value in optimiser.state.get(parameter, {}).items():
            found[f"{kind}.{name}"] = torch.as_tensor(value)
    return found


def _restore(weights: dict[str, torch.nn.Parameter], optimiser: torch.optim.Optimizer, kept: Checkpoint) -> None:
    with torch.no_grad():
        for name, parameter in weights.items():
            parameter.copy_(kept.weights[name])
    for entry, tensor in kept.moments.items():
        kind, _, name = entry.partition(".")
        optimiser.state[weights[name]][kind] = tensor.to(weights[name].device)
    torch.set_rng_state(kept.random)
