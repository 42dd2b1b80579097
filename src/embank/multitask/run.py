"""Multi-task training from start to folder: the encoder found and opened, trained, written as an encoder's folder."""

from collections.abc import Sequence
from pathlib import Path

from embank.encode.options import BankOptions
from embank.encoders.load import DEFAULT, locate, open_torch_encoder
from embank.fit.source_tasks import Source
from embank.models.encoder_folder import refuse_existing
from embank.multitask import MultitaskReport, MultitaskSettings, MultitaskWatch
from embank.multitask.folder import save_multitask
from embank.multitask.train import train_shared


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
        watch: called after every step.

    Raises:
        UsageError: the folder is there, or a family that cannot be trained so.
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
