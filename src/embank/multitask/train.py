"""Multi-task training: one encoder, a head for each source task, all of it trained together."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from embank.encode.options import BankOptions
from embank.encoders.load import DEFAULT, locate, open_torch_encoder
from embank.encoders.torch import TransformerEncoder
from embank.errors import UsageError
from embank.fit.source_datasets import SourceDataset, readouts_of, sample_vectors, source_dataset
from embank.fit.source_tasks import Source
from embank.models.encoder_folder import refuse_existing
from embank.models.shared import SharedEncoder
from embank.models.tail_settings import default_rate
from embank.multitask import MultitaskProgress, MultitaskReport, MultitaskSettings, MultitaskWatch
from embank.multitask.dataset import MultitaskDataset
from embank.multitask.folder import save_multitask
from embank.multitask.heads_first import learn_head
from embank.multitask.sampling import mixed_batches
from embank.training.checkpoint import CheckpointFile, checkpoint_file, training_identity
from embank.training.loop import Run, Trained, train
from embank.training.objectives import init_bias
from embank.training.settings import TrainingProgress

_EPOCHS = 1
_BATCHES_PER_STEP = 4
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


def train_multitask(
    sources: Sequence[Source],
    out: str | Path,
    settings: MultitaskSettings,
    *,
    encoder: str = DEFAULT,
    options: BankOptions | None = None,
    watch: MultitaskWatch = lambda _: None,
) -> MultitaskReport:
    """Train one encoder on several source tasks, and write it as a folder that is an encoder.

    A checkpoint lies beside the folder until it is written; called again after a kill, training goes on from there.

    Args:
        sources: tasks to learn from.
        out: a folder that is not there yet.
        settings: of the training.
        encoder: where training begins: "minilm", a folder, or a hub name.
        options: how it reads texts, as for a bank.
        watch: progress callback, called after every step.

    Raises:
        UsageError: the folder exists, or no sources, or two of one name.
        EncoderError: the encoder cannot be found or loaded.
        HeadError: too few labels, or training went astray.
    """
    place, chosen = Path(out), options or BankOptions()
    refuse_existing(place)
    located = locate(encoder, chosen.reading, local_files_only=chosen.local_files_only)
    opened = open_torch_encoder(located)
    place.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = place.with_name(f"{place.name}.training.safetensors")
    trained = train_shared(opened, sources, settings, checkpoint, watch)
    save_multitask(opened, trained.report, place)
    checkpoint.unlink(missing_ok=True)
    return trained.report


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
    # What was measured best where the settings leave it open.
    rate = settings.training.rate or default_rate("full", encoder.width) * _RATE_SHARE
    epochs = settings.training.epochs or _EPOCHS
    training = replace(settings.training, rate=rate, epochs=epochs, accumulate=_BATCHES_PER_STEP)
    settings = replace(settings, training=training)
    datasets = [
        source_dataset(encoder, number, source, settings.source_settings) for number, source in enumerate(sources)
    ]
    readouts = readouts_of(encoder, settings.reads)
    module = SharedEncoder(encoder, [source.head for source in datasets], readouts, training.seed)
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


def _train(
    module: SharedEncoder,
    sources: Sequence[SourceDataset],
    settings: MultitaskSettings,
    checkpoint: CheckpointFile | None,
    watch: MultitaskWatch,
) -> Trained:
    training, dataset = settings.training, MultitaskDataset(sources)
    latest: dict[str, float] = {}

    def prepare() -> dict[str, float]:
        for source in sources:
            latest[source.name] = learn_head(module, source)
            watch(
                MultitaskProgress(step=0, steps=0, epoch=0, epochs=training.epochs or 0, losses={}, scores=dict(latest))
            )
        return dict(latest)

    def validate() -> float:
        dataset.losses.clear()
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
                losses={name: sum(losses) / len(losses) for name, losses in dataset.losses.items()},
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
