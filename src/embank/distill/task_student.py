"""Distilling a fine-tuned encoder into a small student for one task: the cheapest way to serve it without a bank."""

import time
from dataclasses import dataclass
from pathlib import Path

from embank.distill.task_loss import Student, StudentObjective, Teacher, TeacherOutputs
from embank.distill.task_settings import StudentSettings, teacher_layers
from embank.encoders.torch import TransformerEncoder
from embank.fit.finetune import (
    EncoderTask,
    FineTuned,
    FineTuneData,
    ReportNotes,
    encoder_task,
    scored,
    train_encoder,
)
from embank.models.full import EncoderWithHead
from embank.models.shortened import Shortened, anatomy_of, shortened
from embank.training.checkpoint import checkpoint_file
from embank.training.datasets import LabelledDataset
from embank.training.loop import Run, train
from embank.training.settings import TrainingSettings, TrainingWatch

_USUAL = StudentSettings()


@dataclass(frozen=True)
class DistillCheckpoints:
    """Checkpoints of the two trainings, so that a killed one goes on.

    Attributes:
        teacher: a checkpoint that `finetune` left of the same rows and settings serves as well.
        student: of the student.
    """

    teacher: Path | None = None
    student: Path | None = None


_NOWHERE = DistillCheckpoints()


@dataclass(frozen=True, eq=False)
class Distilled:
    """A teacher and its student.

    Attributes:
        teacher: the encoder, fine-tuned.
        student: some of its layers, distilled from it.
    """

    teacher: FineTuned
    student: FineTuned


def distil(
    encoder: TransformerEncoder,
    rows: FineTuneData,
    settings: TrainingSettings,
    student: StudentSettings = _USUAL,
    checkpoints: DistillCheckpoints = _NOWHERE,
    watch: TrainingWatch = lambda _: None,
) -> Distilled:
    """Fine-tune an encoder for one task, and distil it into a student of a few layers, on the same split.

    The student begins as the raw encoder's embeddings and some of its layers: the first, which reads embeddings as it
    always did, the last, whose states the final norm and the pooling know, and others evenly between them. Each of its
    states learns the teacher's state at the same share of the depth. Both are trained with the same loop and settings.

    Args:
        encoder: in torch and float32, for nobody else: its weights change.
        rows: to train on.
        settings: of both loops; the learning rate may be left open.
        student: its layers, temperature and the weights of its losses.
        checkpoints: of both trainings.
        watch: progress callback, called after every step, of the teacher first, then of the student.

    Raises:
        UsageError: the family cannot be taken apart, or the encoder has not the layers that are asked for.
        HeadError: too few labels, or a training that went astray.
    """
    began = time.monotonic()
    anatomy_of(encoder.folder.family)
    layers = student.kept(encoder.n_layers)
    task = encoder_task(encoder, rows, settings.seed)
    settings = task.rated(settings)
    small = shortened(encoder, layers)  # before the teacher's training changes what is copied
    module, trained = train_encoder(task, settings, checkpoints.teacher, watch)
    notes = ReportNotes("teacher", "full fine-tuning", float(settings.rate or 0))
    teacher = scored(task, module, trained, notes, began)
    fit = _StudentFit(
        task=task, teacher=module, small=small, layers=layers, settings=student, loop=settings, path=checkpoints.student
    )
    return Distilled(teacher, fit.train(watch))


@dataclass(frozen=True, eq=False, kw_only=True)
class _StudentFit:
    """Training of one student.

    Attributes:
        task: what it is trained on.
        teacher: the fine-tuned encoder.
        small: what was copied of the encoder before.
        layers: numbers of the layers that were copied.
        settings: of the student.
        loop: settings of the training loop.
        path: of its checkpoint, or None.
    """

    task: EncoderTask
    teacher: EncoderWithHead
    small: Shortened
    layers: tuple[int, ...]
    settings: StudentSettings
    loop: TrainingSettings
    path: Path | None

    def train(self, watch: TrainingWatch) -> FineTuned:
        """Train the student, and score it."""
        began = time.monotonic()
        task, asked, depth = self.task, self.settings, self.task.encoder.n_layers
        shown = teacher_layers(self.small.n_layers, depth) if asked.hidden_weight else ()
        data = task.data
        outputs = TeacherOutputs(Teacher(self.teacher, shown, depth), data.inputs, data.train)
        read = time.monotonic() - began
        module = Student(EncoderWithHead(self.small, task.design, self.loop.seed), self.small.n_layers)
        objective = StudentObjective(data.objective, outputs, asked)
        parts = {"design": task.design, "training": self.loop, "student": asked, "layers": self.layers}
        run = Run(
            module=module,
            dataset=LabelledDataset(data.inputs, objective, data.train),
            validate=lambda: data.validate(module),
            settings=self.loop,
            checkpoint=checkpoint_file(self.path, task.identity("student", parts)),
        )
        trained = train(run, watch)
        more = {
            "layers": f"{', '.join(map(str, self.layers))} of 0 to {depth - 1}",
            "parameters": sum(parameter.numel() for parameter in self.small.model.parameters()),
            "temperature": asked.temperature,
            "weight of states": asked.hidden_weight,
            "share of labels": asked.label_weight,
            "seconds in which the teacher read": round(read, 1),
        }
        notes = ReportNotes("student", "distilled student", float(self.loop.rate or 0), more)
        return scored(task, module, trained, notes, began)
