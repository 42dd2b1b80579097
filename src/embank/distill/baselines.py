"""What a task costs without a bank: an encoder that is fine-tuned for it, and a student of a few of its layers."""

from pathlib import Path

from embank.distill.task_settings import StudentSettings
from embank.distill.task_student import DistillCheckpoints, Distilled, distil
from embank.encode.options import BankOptions
from embank.encoders.load import DEFAULT, locate, open_torch_encoder
from embank.encoders.torch import TransformerEncoder
from embank.fit.finetune import FineTuned, FineTuneData, finetune
from embank.training.settings import TrainingSettings, TrainingWatch


def finetune_baseline(
    rows: FineTuneData,
    settings: TrainingSettings,
    *,
    encoder: str = DEFAULT,
    options: BankOptions | None = None,
    checkpoint: Path | None = None,
    watch: TrainingWatch = lambda _: None,
) -> FineTuned:
    """Fine-tune all layers of an encoder for one task, on the split that `Bank.fit` takes.

    Args:
        rows: to train on, and to test on.
        settings: of the loop.
        encoder: "minilm", a folder, or a hub name.
        options: how it reads texts, as for a bank.
        checkpoint: where to keep a checkpoint, so that a training that was killed goes on, or None.
        watch: progress callback, called after every step.

    Raises:
        EncoderError: the encoder cannot be found or loaded.
        HeadError: too few labels, or training went astray.
    """
    return finetune(_opened(encoder, options), rows, settings, checkpoint, watch)


def student_baseline(  # noqa: PLR0913 - every argument but the first three has a default and goes by name
    rows: FineTuneData,
    settings: TrainingSettings,
    student: StudentSettings,
    *,
    encoder: str = DEFAULT,
    options: BankOptions | None = None,
    checkpoint: Path | None = None,
    watch: TrainingWatch = lambda _: None,
) -> Distilled:
    """Fine-tune an encoder for one task, and distil it into a student of a few of its layers.

    Args:
        rows: to train on, and to test on.
        settings: of both loops.
        student: its layers, and what it learns of its teacher.
        encoder: "minilm", a folder, or a hub name.
        options: how it reads texts, as for a bank.
        checkpoint: where the teacher's training is kept; the student's lies beside it (FILE.student). None: nowhere.
        watch: progress callback, called after every step.

    Raises:
        UsageError: layers that the encoder does not have.
        EncoderError: the encoder cannot be found or loaded, or is of a family without layers of its own.
        HeadError: too few labels, or training went astray.
    """
    own = checkpoint and checkpoint.with_name(f"{checkpoint.name}.student")
    kept = DistillCheckpoints(teacher=checkpoint, student=own)
    return distil(_opened(encoder, options), rows, settings, student, kept, watch)


def _opened(encoder: str, options: BankOptions | None) -> TransformerEncoder:
    chosen = options or BankOptions()
    return open_torch_encoder(locate(encoder, chosen.reading, local_files_only=chosen.local_files_only))
