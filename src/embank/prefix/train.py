"""Training one prefix for one source task: the encoder is frozen, keys and values before its own are learned."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from embank.encoders.prefix.attention import Prefix, accept_prefixes, captured_attention, prefixed
from embank.encoders.torch import TransformerEncoder
from embank.errors import UsageError
from embank.fit.source_datasets import SourceDataset, readouts_of, sample_vectors, source_dataset
from embank.fit.source_tasks import Reads, Source, SourceScore, SourceSettings
from embank.models.shared import SharedEncoder
from embank.training.checkpoint import checkpoint_file, training_identity
from embank.training.objectives import init_bias
from embank.training.outputs import on_device
from embank.training.settings import TrainingSettings, TrainingWatch
from embank.training.supervised import train_supervised

_RATE = 5e-3
_RATE_REPARAMETRISED = 2e-3
"""Learning rates of prefixes, and of the MLP that makes them in training (bench/log/2026-11.md)."""

_SPREAD = 0.02
"""Deviation of the first weights of the MLP that makes a prefix."""

_HEAD_DROPOUT = 0.1
"""Dropout of the head's inputs; the frozen encoder has none."""

_HEARD = 32
"""Texts whose keys and values a prefix may begin with."""


@dataclass(frozen=True, kw_only=True)
class PrefixSettings:
    """How a prefix is trained.

    Attributes:
        training: of the loop; a rate left out is one for prefixes.
        length: positions of the prefix.
        from_layer: layers below it have none.
        reparametrise: in training, a small MLP makes the prefix (Li & Liang 2021, 2101.00190); it is folded away after.
            So learned, prefixes serve tasks that they have not seen better (bench/log/2026-11.md).
        most: training rows at the most; None: all.
        validate: validation rows that are scored after each pass.
        reads: what the source's head reads.
    """

    training: TrainingSettings = TrainingSettings()  # noqa: RUF009 - a frozen value
    length: int = 16
    from_layer: int = 0
    reparametrise: bool = True
    most: int | None = None
    validate: int = 300
    reads: Reads = "default"

    def __post_init__(self) -> None:
        """Refuse numbers that no prefix can have."""
        if self.length < 1:
            raise UsageError(f"found a prefix of {self.length} positions, expected at least 1")
        if self.from_layer < 0:
            raise UsageError(f"found a prefix from layer {self.from_layer} on, expected 0 or more")
        self.source_settings  # noqa: B018 - it refuses what no source can be read with

    @property
    def source_settings(self) -> SourceSettings:
        """How the source is read."""
        return SourceSettings(seed=self.training.seed, most=self.most, validate=self.validate, reads=self.reads)


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedPrefix:
    """A prefix, and how it came about.

    Attributes:
        keys: `[layers, length, width]` in float32, of layer `from_layer` and each above it.
        values: of the same shape.
        from_layer: layers below it have none.
        source: what it does for its source task.
        passes: the validation score after each pass.
        best: the pass that was kept, from 1.
        steps: taken.
        seconds: of training.
        resumed: whether it went on from a checkpoint.
        settings: the numbers that decided it.
    """

    keys: np.ndarray
    values: np.ndarray
    from_layer: int
    source: SourceScore
    passes: Sequence[float]
    best: int
    steps: int
    seconds: float
    resumed: bool
    settings: PrefixSettings

    @property
    def record(self) -> dict[str, Any]:
        """All but the numbers themselves, for JSON."""
        return {
            "source": asdict(self.source),
            "passes": list(self.passes),
            "best": self.best,
            "steps": self.steps,
            "seconds": self.seconds,
            "settings": asdict(self.settings),
        }


def train_prefix(
    encoder: TransformerEncoder,
    source: Source,
    settings: PrefixSettings,
    checkpoint: Path | None = None,
    watch: TrainingWatch = lambda _: None,
) -> TrainedPrefix:
    """Train one prefix, and the head of its task, on a frozen encoder.

    Args:
        encoder: in float32; its weights do not change.
        source: what is learned from.
        settings: how.
        checkpoint: where to keep a checkpoint, so that a training that was killed goes on, or None.
        watch: progress callback, called after every step.

    Raises:
        UsageError: a family that takes no prefixes, or no layer is left above `from_layer`.
        HeadError: too few labels, or training went astray.
    """
    accept_prefixes(encoder.model)
    if settings.from_layer >= encoder.n_layers:
        raise UsageError(
            f"a prefix from layer {settings.from_layer} on has no layer: this encoder has 0 to {encoder.n_layers - 1}"
        )
    rate = settings.training.rate or (_RATE_REPARAMETRISED if settings.reparametrise else _RATE)
    settings = replace(settings, training=replace(settings.training, rate=rate))
    training = settings.training
    dataset = source_dataset(encoder, 0, source, settings.source_settings)
    readouts = readouts_of(encoder, settings.reads)
    shared = SharedEncoder(encoder, [dataset.head], readouts, training.seed, _HEAD_DROPOUT)
    shared.standardise(sample_vectors(shared, [dataset]))
    init_bias(shared.head(0), dataset.objective.init_bias(dataset.train))
    module = PrefixLearner(shared, _first_prefix(shared, dataset, settings), settings)
    identity = training_identity(
        {
            "what": "prefix",
            "settings": settings,
            "weights": encoder.reading.weights,
            "tokenizer": encoder.reading.tokenizer,
            "source": dataset.digest,
        }
    )
    began = time.monotonic()
    trained = train_supervised(module, dataset.split, training, checkpoint_file(checkpoint, identity), watch)
    position = trained.position
    with torch.no_grad():
        found = module.prefix()
    return TrainedPrefix(
        keys=found.keys.detach().float().cpu().numpy(),
        values=found.values.detach().float().cpu().numpy(),
        from_layer=settings.from_layer,
        source=dataset.score(module),
        passes=position.scores,
        best=position.best_epoch,
        steps=position.step,
        seconds=round(max(position.seconds, time.monotonic() - began), 1),
        resumed=trained.resumed,
        settings=settings,
    )


class PrefixLearner(torch.nn.Module):
    """A frozen encoder, one prefix before its layers, and the head of one task."""

    def __init__(self, shared: SharedEncoder, start: torch.Tensor, settings: PrefixSettings) -> None:
        """Learn a prefix.

        Args:
            shared: the encoder with one head; only the head of it is trained.
            start: keys and values that the prefix begins as, `[2, layers, length, width]`.
            settings: how.
        """
        super().__init__()
        self.shared, self.from_layer = shared, settings.from_layer
        shared.model.requires_grad_(requires_grad=False)
        self.register_buffer("start", start, persistent=False)
        generator = torch.Generator().manual_seed(settings.training.seed)
        self.made: torch.nn.Module | None = None
        if settings.reparametrise:
            width = start.shape[-1]
            self.learned = torch.nn.Parameter(torch.randn(start.shape[2], width, generator=generator))
            self.made = torch.nn.Sequential(
                torch.nn.Linear(width, width), torch.nn.Tanh(), torch.nn.Linear(width, 2 * start.shape[1] * width)
            )
            for name, parameter in self.made.named_parameters():
                if name.endswith("weight"):
                    torch.nn.init.normal_(parameter, std=_SPREAD, generator=generator)
                else:
                    torch.nn.init.zeros_(parameter)
        else:
            self.learned = torch.nn.Parameter(start.cpu().clone())
        self.to(start.device)

    start: torch.Tensor

    def prefix(self) -> Prefix:
        """The prefix; the MLP that makes it in training is folded away."""
        both: torch.Tensor = self.learned
        if self.made is not None:
            _, layers, length, width = self.start.shape
            made = self.made(self.learned).float().view(length, 2, layers, width)
            both = self.start + made.permute(1, 2, 0, 3)
        return Prefix(both[0], both[1], self.from_layer)

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        """Outputs of the task's head; see `SharedEncoder.forward`."""
        with prefixed(self.shared.model, [[self.prefix()]]):
            found: torch.Tensor = self.shared(**inputs)
        return found

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's own signature
        """Switch the dropout of the head's inputs; the encoder never has dropout."""
        super().train(mode)
        self.shared.model.train(mode=False)
        return self

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """The prefix, or the MLP that makes it, and the head."""
        made = {} if self.made is None else {f"made.{name}": one for name, one in self.made.named_parameters()}
        head = {f"heads.{name}": one for name, one in self.shared.heads.named_parameters()}
        return {"learned": self.learned, **made, **head}


def _first_prefix(shared: SharedEncoder, dataset: SourceDataset, settings: PrefixSettings) -> torch.Tensor:
    """Keys and values of tokens of the source's own texts, `[2, layers, length, width]`.

    Prefixes that begin as real activations are learned better than random ones (Li & Liang 2021, section 7.4).
    """
    random = np.random.default_rng(settings.training.seed)
    which = np.sort(random.permutation(dataset.train)[:_HEARD])
    inputs = on_device(dataset.inputs.first.inputs(which), shared)
    shared.train(mode=False)
    with torch.no_grad(), captured_attention() as found:
        shared.vectors(**inputs)
    places = np.flatnonzero(inputs["attention_mask"].flatten().cpu().numpy())
    chosen = torch.from_numpy(np.sort(random.choice(places, settings.length, replace=len(places) < settings.length)))
    layers = [found[layer] for layer in sorted(found) if layer >= settings.from_layer]
    return torch.stack([torch.stack([one[part].flatten(0, 1)[chosen] for one in layers]) for part in range(2)])
