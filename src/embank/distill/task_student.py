"""Distilling a fine-tuned encoder into a small student for one task: the cheapest way to serve it without a bank."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from embank.distill.task_settings import StudentSettings as StudentSettings
from embank.distill.task_settings import taught_by
from embank.fit.finetune import FineTuned, FineTuneData, Ready, judged, ready, tuned
from embank.optional import load
from embank.training.settings import TrainingSettings, TrainingWatch

_USUAL = StudentSettings()


@dataclass(frozen=True, eq=False)
class Distilled:
    """A teacher and its student.

    Attributes:
        teacher: the encoder, fine-tuned.
        student: some of its layers, taught by it.
    """

    teacher: FineTuned
    student: FineTuned


def distil(
    encoder: Any,
    data: FineTuneData,
    settings: TrainingSettings,
    student: StudentSettings = _USUAL,
    keep: tuple[Path, Path] | None = None,
    watch: TrainingWatch = lambda _: None,
) -> Distilled:
    """Fine-tune an encoder for one task, and distil it into a student of a few layers, on the same split.

    The student begins as the raw encoder's embeddings and some of its layers: the first, which reads embeddings as it
    always did, the last, whose states the final norm and the pooling know, and others evenly between them. Each of its
    states learns the teacher's state at the same share of the depth. Both are trained with the same loop and settings.

    Args:
        encoder: in torch and float32, for nobody else: its weights change.
        data: rows.
        settings: of both loops; the learning rate may be left open.
        student: its layers, temperature and the weights of its losses.
        keep: where to keep the teacher's checkpoint and the student's, so that what was killed goes on; a checkpoint
            that `finetune` left of the same rows and settings serves as the teacher's.
        watch: told after every step, of the teacher first, then of the student.

    Raises:
        UsageError: the family cannot be taken apart, or the encoder has not the layers that are asked for.
        HeadError: too few labels, or a training that went astray.
    """
    shortening = load("embank.models.shortened", "torch")
    began = time.monotonic()
    shortening.anatomy_of(encoder.folder.family)
    layers = student.kept(encoder.n_layers)
    task = ready(encoder, data, settings.seed)
    settings = task.rated(settings)
    small = shortening.shortened(encoder, layers)  # before the teacher's training changes what is copied
    module, trained = tuned(task, settings, keep and keep[0], watch)
    chosen = {"head": "full fine-tuning", "learning rate": float(settings.rate or 0)}
    teacher = judged(task, module, trained.position, chosen, began)
    said = {
        "layers": f"{', '.join(map(str, layers))} of 0 to {encoder.n_layers - 1}",
        "parameters": sum(parameter.numel() for parameter in small.model.parameters()),
    }
    pupil = _taught(task, (module, small), (settings, student), (keep and keep[1], watch), said)
    return Distilled(_called("teacher", teacher), _called("student", pupil))


def _taught(
    task: Ready,
    models: tuple[Any, Any],
    settings: tuple[TrainingSettings, StudentSettings],
    tracking: tuple[Path | None, TrainingWatch],
    said: Mapping[str, Any],
) -> FineTuned:
    """Train the student.

    Args:
        task: what it is trained on.
        models: the fine-tuned teacher, and what was copied of its encoder.
        settings: of the loop, and of the student.
        tracking: its checkpoint, and who is told.
        said: what there is to say of it already.
    """
    students, live = load("embank.distill.task_loss", "torch"), load("embank.models.full", "torch")
    training, learning = load("embank.training.loop", "torch"), load("embank.training.fit", "torch")
    began = time.monotonic()
    (teacher, small), (loop, asked), (checkpoint, watch) = models, settings, tracking
    objective, held_back = task.objective, task.held_back
    depth = task.encoder.n_layers
    shown = taught_by(small.n_layers, depth) if asked.hidden_weight else ()
    part = learning.Part(task.lessons, task.train)
    teaching = students.Teaching(students.Teacher(teacher, shown, depth), part)
    read = time.monotonic() - began
    module = students.Student(live.LiveEncoder(small, task.design, loop.seed), small.n_layers)

    def validate() -> float:
        measured = objective.measure(held_back, learning.outputs_of(module, task.lessons, held_back))
        return float(measured[objective.primary])

    loss = students.StudentLoss(objective, teaching, asked)
    chosen = asked.kept(depth)
    identity = task.identity(["student", asdict(task.design), asdict(loop), asdict(asked), chosen])
    run = training.Run(module, part, loss, validate, loop, identity, checkpoint)
    trained = training.train(run, watch)
    words = {
        "head": "distilled student",
        **said,
        "temperature": asked.temperature,
        "weight of states": asked.hidden_weight,
        "share of labels": asked.label_weight,
        "learning rate": float(loop.rate or 0),
        "seconds in which the teacher read": round(read, 1),
    }
    return judged(task, module, trained.position, words, began)


def _called(name: str, outcome: FineTuned) -> FineTuned:
    """An outcome whose report has another name."""
    return replace(outcome, report=replace(outcome.report, task=name))
