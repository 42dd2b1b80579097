"""Full fine-tuning of an encoder for one task: the baseline of tails, on the same split with the same loop.

The three steps of it, rows to examples, training, and scores, serve distillation as well.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from embank.encoders.torch import TransformerEncoder
from embank.errors import HeadError
from embank.fit import Examples
from embank.fit.examples import collect
from embank.fit.objective import objective_for
from embank.fit.report import FitReport
from embank.labels.read import Labels
from embank.models.full import EncoderWithHead
from embank.models.tail_settings import TailDesign, TailOptions, default_rate
from embank.texts import Text, numbered
from embank.training.checkpoint import checkpoint_file, training_identity
from embank.training.loop import Trained
from embank.training.objectives import PooledObjective, TaskObjective
from embank.training.outputs import Trainable, predict_outputs
from embank.training.settings import TrainingSettings, TrainingWatch
from embank.training.supervised import LabelledSplit, score, train_supervised
from embank.training.token_inputs import TokenInputs


@dataclass(frozen=True, eq=False)
class FineTuned:
    """A fine-tuned encoder.

    Attributes:
        report: what a fit says.
        test: measures on test rows, empty where none were given.
        seconds_per_pass: of training.
        texts_per_second: of prediction, on the held-back or test rows.
        decided: what it decides on the labelled test rows: numbers of labels, a 0/1 matrix, or numbers; None without
            test rows, and for kinds that read each token.
    """

    report: FitReport
    test: dict[str, float]
    seconds_per_pass: float
    texts_per_second: float
    decided: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class FineTuneData:
    """Rows to train on, and rows to test on.

    Attributes:
        texts: texts or pairs.
        labels: of these.
        test_texts: others, or none.
        test_labels: of these.
    """

    texts: Sequence[Any]
    labels: Labels
    test_texts: Sequence[Any] = ()
    test_labels: Labels | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class EncoderTask:
    """Rows of a task, ready for an encoder to be trained on.

    Attributes:
        encoder: in torch and float32; it reads the texts.
        rows: as the user gave them.
        examples: each text once, with the split.
        contents: the texts, in the order of the examples.
        skipped: rows that were left out, by reason.
        data: the examples as token numbers, with what is asked of them.
        names: of classes, labels or tags.
    """

    encoder: TransformerEncoder
    rows: FineTuneData
    examples: Examples
    contents: Sequence[Text]
    skipped: Mapping[str, int]
    data: LabelledSplit
    names: tuple[str, ...]

    @property
    def objective(self) -> TaskObjective:
        """What is asked of the examples."""
        return self.data.objective

    @property
    def design(self) -> TailDesign:
        """Kind, outputs and pooling of what is put on the encoder."""
        return TailDesign(
            cut=0,
            method="full",
            kind=self.rows.labels.kind,
            outputs=self.objective.n_outputs,
            options=TailOptions(pooling=self.encoder.pooling),
        )

    def identity(self, what: str, parts: Mapping[str, Any]) -> str:
        """Digest of all that decides the outcome of a training: what it is, how texts are read, and the rows."""
        read = {"reading": self.encoder.reading, "contents": list(self.contents)}
        return training_identity({"what": what, **parts, **read, **self.examples.identity})

    def rated(self, settings: TrainingSettings) -> TrainingSettings:
        """Settings with the learning rate that suits the encoder, where none was given."""
        return replace(settings, rate=settings.rate or default_rate("full", self.encoder.width))


def finetune(
    encoder: TransformerEncoder,
    rows: FineTuneData,
    settings: TrainingSettings,
    checkpoint: Path | None = None,
    watch: TrainingWatch = lambda _: None,
) -> FineTuned:
    """Train all layers of an encoder for one task; a fifth of the rows is held back, as in `Bank.fit`.

    Args:
        encoder: in torch and float32, for nobody else: its weights change.
        rows: to train on.
        settings: of the loop; the learning rate may be left open.
        checkpoint: where to keep a checkpoint, so that a training that was killed goes on, or None.
        watch: progress callback, called after every step.

    Raises:
        HeadError: too few labels, or a training that went astray.
    """
    began = time.monotonic()
    task = encoder_task(encoder, rows, settings.seed)
    settings = task.rated(settings)
    module, trained = train_encoder(task, settings, checkpoint, watch)
    return scored(task, module, trained, ReportNotes("baseline", "full fine-tuning", float(settings.rate or 0)), began)


def encoder_task(encoder: TransformerEncoder, rows: FineTuneData, seed: int) -> EncoderTask:
    """Read rows as an encoder is trained on them; a fifth of them is held back.

    Raises:
        HeadError: too few labels.
    """
    texts = [tuple(text) if isinstance(text, tuple | list) else text for text in rows.texts]
    distinct = numbered(texts)
    examples, skipped = collect(distinct.rows, None, rows.labels, seed)
    contents = [distinct.texts[number] for number in examples.texts.tolist()]
    train, held_back = examples.split
    objective, names = objective_for(Labels(rows.labels.kind, tuple(examples.values)), contents, train, encoder)
    return EncoderTask(
        encoder=encoder,
        rows=rows,
        examples=examples,
        contents=contents,
        skipped=skipped,
        data=LabelledSplit(TokenInputs(encoder, contents), objective, train, held_back),
        names=names,
    )


def train_encoder(
    task: EncoderTask, settings: TrainingSettings, checkpoint: Path | None, watch: TrainingWatch
) -> tuple[EncoderWithHead, Trained]:
    """Train all layers of the task's encoder; returns the module and how training went."""
    module = EncoderWithHead(task.encoder, task.design, settings.seed)
    identity = task.identity("finetune", {"design": task.design, "training": settings})
    return module, train_supervised(module, task.data, settings, checkpoint_file(checkpoint, identity), watch)


@dataclass(frozen=True)
class ReportNotes:
    """What a report says of a training besides its scores.

    Attributes:
        task: the name in the report.
        head: what was trained, in words.
        rate: the learning rate.
        more: further choices, in words.
    """

    task: str
    head: str
    rate: float
    more: Mapping[str, Any] = field(default_factory=dict)


def scored(task: EncoderTask, module: Trainable, trained: Trained, notes: ReportNotes, began: float) -> FineTuned:
    """Score what was trained.

    Args:
        task: what it was trained on.
        module: what was trained.
        trained: how training went.
        notes: what else the report says.
        began: when, on the monotonic clock.
    """
    scores = score(module, task.data)
    report = FitReport(
        task=notes.task,
        kind=task.rows.labels.kind,
        labels=task.names,
        examples=len(task.examples.texts),
        held_back=len(task.data.held_back),
        skipped=task.skipped,
        columns=(),
        chosen={"head": notes.head, **notes.more, "learning rate": notes.rate, **trained.summary},
        train=scores.train,
        validation=scores.validation,
        baseline=scores.baseline,
        measure=task.objective.primary,
        tried=trained.passes,
        seconds=time.monotonic() - began,
    )
    test: dict[str, float] = {}
    decided = None
    speed = scores.texts_per_second
    if task.rows.test_labels is not None:
        test, decided, speed = _test(module, task, scores.learned)
    position = trained.position
    return FineTuned(report, test, position.seconds / max(position.epoch, 1), speed, decided)


def _test(
    module: Trainable, task: EncoderTask, learned: Mapping[str, Any]
) -> tuple[dict[str, float], np.ndarray | None, float]:
    """Measures and decisions on test rows, and texts per second."""
    assert task.rows.test_labels is not None  # noqa: S101 - for mypy
    pairs = zip(task.rows.test_texts, task.rows.test_labels.values, strict=True)
    rows = [(text, value) for text, value in pairs if value is not None]
    if not rows:
        raise HeadError("none of the test rows has a label: is it the right column?")
    texts, values = [text for text, _ in rows], [value for _, value in rows]
    every = np.arange(len(rows))
    objective, _ = objective_for(Labels(task.objective.kind, tuple(values)), texts, every, task.encoder, task.objective)
    inputs = TokenInputs(task.encoder, texts)
    started = time.monotonic()
    outputs = predict_outputs(module, inputs, every)
    speed = len(rows) / (time.monotonic() - started)
    decided = None
    if isinstance(objective, PooledObjective):
        decided = objective.served(learned).decide(objective.scaled(np.stack(outputs)))
    return objective.measure(every, outputs, learned), decided, speed
