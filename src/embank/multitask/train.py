"""Multi-task training: one encoder, a head for each source task, all of it trained together."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from embank.encoders.torch import TransformerEncoder
from embank.errors import UsageError
from embank.fit.source_datasets import SourceDataset, readouts_of, sample_vectors, source_dataset
from embank.fit.source_tasks import Source
from embank.models.shared import Readings, SharedEncoder
from embank.models.tail_design import default_rate
from embank.multitask import MultitaskProgress, MultitaskReport, MultitaskSettings, MultitaskWatch
from embank.multitask.dataset import MultitaskDataset, MultitaskLoss
from embank.multitask.heads_first import learn_head
from embank.multitask.sampling import mixed_batches
from embank.training.checkpoint import CheckpointFile, checkpoint_file, training_identity
from embank.training.loop import Run, Trained, train
from embank.training.objectives import init_bias
from embank.training.settings import TrainingProgress, TrainingSettings

_EPOCHS = 1
_BATCHES_A_STEP = 4
_RATE_SHARE = 0.75
"""One pass in steps of four batches at 1.5e-4 for an encoder 384 wide: of all that was tried, as good as the best for
heads on 600 rows, better on 200, and better under binary columns (bench/log/2026-11.md)."""


@dataclass(frozen=True, eq=False)
class MultitaskModel:
    """An encoder that was trained on source tasks, and how it came about.

    Attributes:
        module: the encoder with the heads of its sources, holding the weights of the best pass.
        report: what training found.
        losses: mean loss of all sources in each pass.
    """

    module: SharedEncoder
    report: MultitaskReport
    losses: Sequence[float]


def train_shared(
    encoder: TransformerEncoder,
    sources: Sequence[Source],
    settings: MultitaskSettings,
    checkpoint: Path | None = None,
    watch: MultitaskWatch = lambda _: None,
) -> MultitaskModel:
    """Train an encoder on several source tasks at once.

    Heads are first learned on the encoder as it is (see `multitask.heads_first`); then everything is trained, without
    dropout, in steps of several batches (bench/log/2026-11.md).

    Args:
        encoder: in torch and float32, for nobody else: its weights change.
        sources: at least one; names are distinct.
        settings: how.
        checkpoint: where to keep a checkpoint, so that a training that was killed goes on, or None.
        watch: progress callback, called after every step.

    Raises:
        UsageError: no sources, or two of one name.
        HeadError: a source has too few labels, or training went astray.
    """
    names = [source.name for source in sources]
    if not names or len(set(names)) < len(names):
        found = ", ".join(names) or "none"
        raise UsageError(f"found the sources {found}; expected at least one, each under a name of its own")
    training = _training(settings, encoder)
    settings = replace(settings, training=training)
    datasets = [
        source_dataset(encoder, number, source, settings.source_settings) for number, source in enumerate(sources)
    ]
    readings = Readings(readouts_of(encoder, settings.reads))
    module = SharedEncoder(encoder, [source.head for source in datasets], readings, training.seed)
    module.standardise(sample_vectors(module, datasets))
    for number, source in enumerate(datasets):
        init_bias(module.head(number), source.objective.init_bias(source.train))
    identity = training_identity(
        {
            "what": "multitask",
            "settings": settings,
            "weights": encoder.reading.weights,
            "tokenizer": encoder.reading.tokenizer,
            "sources": [(source.digest, source.weight) for source in datasets],
        }
    )
    trained = _train(module, datasets, settings, checkpoint_file(checkpoint, identity), watch)
    position = trained.position
    report = MultitaskReport(
        origin=encoder.facts.origin,
        sources=[source.score(module, frozen=position.first.get(source.name)) for source in datasets],
        passes=position.scores,
        best=position.best_epoch,
        steps=position.step,
        seconds=round(position.seconds, 1),
        resumed=trained.resumed,
        settings=asdict(settings),
    )
    return MultitaskModel(module, report, position.losses)


def _training(settings: MultitaskSettings, encoder: TransformerEncoder) -> TrainingSettings:
    """What the loop is told, with what was measured best where the user left it open."""
    training = settings.training
    rate = training.rate or default_rate("full", encoder.width) * _RATE_SHARE
    return replace(training, rate=rate, epochs=training.epochs or _EPOCHS, accumulate=_BATCHES_A_STEP)


def _train(
    module: SharedEncoder,
    sources: Sequence[SourceDataset],
    settings: MultitaskSettings,
    checkpoint: CheckpointFile | None,
    watch: MultitaskWatch,
) -> Trained:
    training, loss = settings.training, MultitaskLoss(sources)
    dataset = MultitaskDataset(sources, loss)
    latest: dict[str, float] = {}

    def prepare() -> dict[str, float]:
        for source in sources:
            latest[source.name] = learn_head(module, source)
            watch(
                MultitaskProgress(step=0, steps=0, epoch=0, epochs=training.epochs or 0, losses={}, scores=dict(latest))
            )
        return dict(latest)

    def validate() -> float:
        loss.clear()
        latest.update({source.name: source.split.validate(module) for source in sources})
        # Explained variance has no floor: one source of numbers that is lost would outweigh all others.
        return sum(max(score, -1.0) for score in latest.values()) / len(latest)

    def sampler(epoch: int) -> list[np.ndarray]:
        return mixed_batches(dataset.parts, training.batch, settings.temperature, [training.seed, epoch])

    def watch_step(now: TrainingProgress) -> None:
        watch(
            MultitaskProgress(
                step=now.step,
                steps=now.steps,
                epoch=now.epoch,
                epochs=now.epochs,
                losses=dict(loss.means),
                scores=dict(latest),
            )
        )

    run = Run(
        module=module,
        dataset=dataset,
        validate=validate,
        settings=training,
        checkpoint=checkpoint,
        sampler=sampler,
        prepare=prepare,
    )
    return train(run, watch_step)
