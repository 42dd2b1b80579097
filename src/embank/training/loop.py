"""The training loop: AdamW, warm-up and linear decay, clipping, early stopping, and going on after a kill.

What a run computes depends on its seed and settings alone: a run that was killed and went on ends with the same weights
as one that was not disturbed (on the same machine with the same number of threads).
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from embank.errors import HeadError
from embank.training.checkpoint import Checkpoint, Position, Tensors
from embank.training.datasets import Inputs, Lessons, order
from embank.training.precision import Dtype, faster, precision, settled
from embank.training.settings import TrainingProgress, TrainingSettings, TrainingWatch

_LEAST_STEPS = 300
"""Heads want about that many steps, however few examples there are."""

_LEAST_EPOCHS = 4

_WARM = 100
"""Steps of warm-up, or a tenth of all where that is fewer."""

_CHECKPOINT_SECONDS = 60.0

_OUTPUTS = ("output.", "heads.")
"""How names of parameters begin that were drawn at random, and not trained before."""

_OUTPUT_RATE = 2e-3
"""The least learning rate of these (bench/log/2026-11.md)."""

Loss = Callable[[Any, np.ndarray], torch.Tensor]
"""What a module gave for some examples, and their numbers, to one number."""

Schedule = Callable[[int], list[np.ndarray]]
"""The batches of a pass, by its number from 0: as many in every pass, and the same ones whenever they are asked for."""


class Trainable(Protocol):
    """What can be trained: a torch module that says which of its parameters are."""

    def __call__(self, **inputs: torch.Tensor) -> Any:
        """Logits, or whatever the loss reads."""
        ...

    def train(self, mode: bool = True) -> Any:  # noqa: FBT001, FBT002 - torch's own signature
        """Turn dropout on or off."""
        ...

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Parameters that are trained, by name."""
        ...


@dataclass(frozen=True, eq=False)
class Trained:
    """How training went; the module holds the weights of the best pass.

    Attributes:
        position: where it ended.
        resumed: whether it went on from a checkpoint.
    """

    position: Position
    resumed: bool


@dataclass(frozen=True, eq=False)
class Run:
    """One training.

    Attributes:
        module: what is trained, in place.
        lessons: examples.
        loss: of what the module gives.
        validate: scores the module as it is; higher is better.
        settings: how.
        identity: digest of all that decides the outcome, for checkpoints.
        checkpoint: where to keep them, or None.
        checkpoint_seconds: how often; at the end of a pass in any case.
        schedule: deals examples into batches; None: each once a pass, those of like length together.
        prepare: gives output layers the weights that they should begin with, and says how well each does; not called
            where a training goes on. Without it they begin at random, and take larger steps than all else.
    """

    module: Trainable
    lessons: Lessons
    loss: Loss
    validate: Callable[[], float]
    settings: TrainingSettings
    identity: str = ""
    checkpoint: Path | None = None
    checkpoint_seconds: float = _CHECKPOINT_SECONDS
    schedule: Schedule | None = None
    prepare: Callable[[], Mapping[str, float]] | None = None

    def batches(self, epoch: int) -> list[np.ndarray]:
        """The batches of a pass."""
        settings = self.settings
        if self.schedule is not None:
            return self.schedule(epoch)
        return order(self.lessons.lengths, settings.batch, [settings.seed, epoch])


def train(run: Run, watch: TrainingWatch = lambda _: None) -> Trained:
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


class _Loop:
    """A training while it runs."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._weights = run.module.trainable()
        # Fused: one pass over all weights; without it, the table of words alone costs a quarter of a step on a CPU.
        groups = _groups(self._weights, run.settings, fresh=run.prepare is None)
        self._optimiser = torch.optim.AdamW(groups, weight_decay=run.settings.decay, fused=True)
        torch.manual_seed(run.settings.seed)
        self._position = Position(dtype=faster())
        self._best: Tensors = {}
        kept = Checkpoint.read(run.checkpoint, run.identity) if run.checkpoint else None
        if kept:
            self._position, self._best = kept.position, kept.best
            _restore(self._weights, self._optimiser, kept)
        self._resumed = kept is not None
        self._steps = math.ceil(len(run.batches(0)) / run.settings.accumulate)
        self._epochs = run.settings.epochs or max(_LEAST_EPOCHS, math.ceil(_LEAST_STEPS / self._steps))
        self._clock = _Clock(self._position.seconds)

    @property
    def dtype(self) -> Dtype:
        """What it computes in, from its first step on."""
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
        """Go through all examples once, or what is left of a pass that was interrupted, and validate."""
        position, settings = self._position, self._run.settings
        total = self._epochs * self._steps
        batches = self._run.batches(position.epoch)
        for start in range(position.batch * settings.accumulate, len(batches), settings.accumulate):
            several = batches[start : start + settings.accumulate]
            position.loss_sum += _step(self._run, self._optimiser, several, _rate(settings, position.step, total))
            position.step, position.batch = position.step + 1, position.batch + 1
            mean = position.loss_sum / position.batch
            score = position.scores[-1] if position.scores else None
            watch(TrainingProgress(position.step, total, position.epoch + 1, self._epochs, mean, score))
            if self._clock.since_mark > self._run.checkpoint_seconds:
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
        self._position.seconds = self._clock.total
        return Trained(self._position, self._resumed)

    def _is_sound(self) -> bool:
        """Whether all weights are numbers. Where they are not, outputs are none, and yet may have a score."""
        return all(bool(parameter.isfinite().all()) for parameter in self._weights.values())

    def _keep(self) -> None:
        self._clock.mark()
        if self._run.checkpoint:
            self._position.seconds = self._clock.total
            weights, moments = _detached(self._weights), _moments(self._weights, self._optimiser)
            state = torch.get_rng_state()
            Checkpoint(self._run.identity, self._position, weights, moments, self._best, state).write(
                self._run.checkpoint
            )


def on_device(inputs: Inputs, module: Trainable) -> Inputs:
    """Inputs where the module's weights are."""
    device = next(iter(module.trainable().values())).device
    return {name: tensor.to(device) for name, tensor in inputs.items()}


def _groups(weights: dict[str, torch.nn.Parameter], settings: TrainingSettings, *, fresh: bool) -> list[dict[str, Any]]:
    """Parameters with their share of the learning rate: output layers that begin from nothing need larger steps."""
    new = {name: parameter for name, parameter in weights.items() if fresh and name.startswith(_OUTPUTS)}
    old = [parameter for name, parameter in weights.items() if name not in new]
    share = max(1.0, _OUTPUT_RATE / (settings.rate or 1.0))
    groups = [{"params": old, "share": 1.0}, {"params": list(new.values()), "share": share}]
    return [{**group, "lr": 1.0} for group in groups if group["params"]]


def _step(run: Run, optimiser: torch.optim.Optimizer, batches: list[np.ndarray], rate: float) -> float:
    """One step on the mean gradient of some batches; returns their mean loss."""
    run.module.train()
    for group in optimiser.param_groups:
        group["lr"] = rate * group["share"]
    optimiser.zero_grad(set_to_none=True)
    total = 0.0
    for which in batches:
        with precision():
            output = run.module(**on_device(run.lessons.inputs(which), run.module))
        loss = run.loss(output, which) / len(batches)
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    torch.nn.utils.clip_grad_norm_(run.module.trainable().values(), run.settings.clip)
    optimiser.step()
    return total


def _rate(settings: TrainingSettings, step: int, steps: int) -> float:
    """Learning rate of a step: up from nothing, then down to nothing, both straight."""
    warm = max(1, min(_WARM, steps // 10))
    rate = settings.rate or 0.0
    return rate * min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))


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


class _Clock:
    """Seconds of a training, those before an interruption included."""

    def __init__(self, before: float) -> None:
        self._before = before
        self._began = self._marked = time.monotonic()

    @property
    def total(self) -> float:
        return self._before + time.monotonic() - self._began

    @property
    def since_mark(self) -> float:
        return time.monotonic() - self._marked

    def mark(self) -> None:
        self._marked = time.monotonic()
