"""Trials of ways that train layers: tails, students and whole encoders, stopped when the time is up.

This module needs torch; `plan.run` loads it when a plan begins.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from embank.distill.task_settings import StudentSettings
from embank.distill.task_student import DistillCheckpoints, distil
from embank.encoders.flops import Shape, shape_of
from embank.encoders.torch import TransformerEncoder
from embank.fit.cut_trials import MemorySource
from embank.fit.finetune import FineTuned, FineTuneData, finetune
from embank.fit.objective import objective_for
from embank.labels.read import Labels
from embank.models.tail import build_tail
from embank.models.tail_settings import TailDesign, TailOptions, TailSettings, default_rate
from embank.plan import Way
from embank.plan.budget import Budget
from embank.plan.costs import TrainingPace
from embank.plan.rows import Fold, TaskRows, decided, held_back
from embank.texts import Text
from embank.training.objectives import PooledObjective
from embank.training.outputs import predict_outputs
from embank.training.settings import TrainingSettings
from embank.training.state_inputs import StateInputs
from embank.training.supervised import LabelledSplit, train_supervised


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingTrials:
    """Trains ways on folds.

    Attributes:
        load_encoder: loads the encoder once more, in torch and float32: a trial changes its weights.
        texts: by number.
        states: float16 blocks `[tokens, width]` by layer and by number of the text.
        folder: for checkpoints of the plan's own.
        budget: that no trial outlives.
    """

    load_encoder: Callable[[], TransformerEncoder]
    texts: Sequence[Text]
    states: Mapping[int, Mapping[int, np.ndarray]]
    folder: Path
    budget: Budget

    def shape(self) -> Shape:
        """Of the encoder."""
        return shape_of(self.load_encoder().model.config)

    def encoder(self) -> TransformerEncoder:
        """The encoder once more; every batch that it reads checks the budget."""
        encoder = self.load_encoder()
        encoder.model.register_forward_pre_hook(lambda *_: self.budget.check())
        return encoder

    def trial(self, way: Way, rows: TaskRows, fold: Fold, epochs: int) -> "TrainedTrial":
        """Train one way on a fold's training rows, and try it on those that are held out.

        Args:
            way: a tail, a student or full fine-tuning.
            rows: of the task.
            fold: what is trained on and held out.
            epochs: passes.

        Raises:
            OutOfTimeError: the budget was used up before it was finished.
            HeadError: training diverged, or nothing can be learnt from the fold's rows.
            UsageError: the family cannot be cut.
        """
        # All passes are made, and the best is kept: where stopping early is a matter of luck, so are seconds.
        settings = TrainingSettings(epochs=epochs, patience=epochs, seed=fold.number)
        return (_tail if way.family == "tail" else _outside)(self, way, rows, fold, settings)


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedTrial:
    """One training, tried.

    Attributes:
        guess: on held-out rows, in the form of `TaskRows.y`.
        pace: how long it took.
        seconds: all in all.
    """

    guess: np.ndarray
    pace: TrainingPace
    seconds: float


def _tail(context: TrainingTrials, way: Way, rows: TaskRows, fold: Fold, settings: TrainingSettings) -> TrainedTrial:
    began = time.perf_counter()
    held = held_back(rows, fold)
    train, back = np.flatnonzero(~held), np.flatnonzero(held)
    encoder = context.load_encoder()
    values = tuple(rows.values[at] for at in fold.train.tolist())
    objective, names = objective_for(Labels(rows.kind, values), [], train, encoder)
    settings = replace(settings, rate=default_rate("full", encoder.width))
    options = TailOptions(pooling=encoder.pooling, width=TailSettings().width)
    design = TailDesign(cut=way.cut, method="full", kind=rows.kind, outputs=objective.n_outputs, options=options)
    tail = build_tail(encoder.model, encoder.n_layers, design, settings.seed)
    tail.register_forward_pre_hook(lambda *_: context.budget.check())
    layer = context.states[way.cut]
    numbers = rows.texts[np.concatenate([fold.train, fold.test])].tolist()
    states = MemorySource({number: layer[number].astype(np.float32) for number in numbers})
    inputs, others = (
        StateInputs(states, rows.texts[part], encoder.tokenizing.skip) for part in (fold.train, fold.test)
    )
    fixed = time.perf_counter() - began
    position = train_supervised(tail, LabelledSplit(inputs, objective, train, back), settings).position
    learned = objective.calibrated(back, predict_outputs(tail, inputs, back))
    started = time.perf_counter()
    outputs = predict_outputs(tail, others, np.arange(len(fold.test)))
    predicting = (time.perf_counter() - started) / len(fold.test)
    assert isinstance(objective, PooledObjective)  # noqa: S101 - plans know no other kinds
    guess = objective.served(learned).decide(objective.scaled(np.stack(outputs)))
    row_pass = position.seconds / (position.epoch * len(fold.train))
    pace = TrainingPace(fixed, row_pass, predicting, predicting)
    return TrainedTrial(guess=decided(rows, guess, names), pace=pace, seconds=time.perf_counter() - began)


def _outside(context: TrainingTrials, way: Way, rows: TaskRows, fold: Fold, settings: TrainingSettings) -> TrainedTrial:
    """Full fine-tuning, or a student, whose teacher is the fine-tuned encoder of the same fold if there is one."""
    began = time.perf_counter()
    encoder = context.encoder()
    fixed = time.perf_counter() - began
    (texts, labels), (others, known) = (_part(context, rows, part) for part in (fold.train, fold.test))
    data = FineTuneData(texts, labels, others, known)
    name = f"{rows.task.encode().hex()[:60]}-{fold.number}"  # whatever the column is called
    whole, small = (context.folder / f"{name}{kind}.safetensors" for kind in ("", "-student"))
    count, watch = len(fold.train), context.budget.check
    if way.family == "finetune":
        trained = finetune(encoder, data, settings, whole, watch)
        row_pass, besides = _pace(trained, count)
    else:
        both = distil(
            encoder, data, settings, StudentSettings(layers=way.layers), DistillCheckpoints(whole, small), watch
        )
        trained = both.student
        row_pass, besides = _pace(trained, count)
        # Training a student is training its teacher first.
        row_pass += both.teacher.seconds_per_pass / count
        besides += 1 / both.teacher.texts_per_second
    started = time.perf_counter()
    encoder.tokens(others)
    predicting = 1 / trained.texts_per_second + (time.perf_counter() - started) / len(others)
    assert trained.decided is not None  # noqa: S101 - test rows were given
    return TrainedTrial(
        guess=decided(rows, trained.decided, trained.report.labels),
        pace=TrainingPace(fixed, row_pass, besides, predicting),
        seconds=time.perf_counter() - began,
    )


def _pace(trained: FineTuned, rows: int) -> tuple[float, float]:
    """Seconds per row and pass, and seconds per row besides."""
    training = trained.seconds_per_pass * len(trained.report.tried)
    return trained.seconds_per_pass / rows, max(0.0, trained.report.seconds - training) / rows


def _part(context: TrainingTrials, rows: TaskRows, places: np.ndarray) -> tuple[list[Text], Labels]:
    values = tuple(rows.values[at] for at in places.tolist())
    return [context.texts[number] for number in rows.texts[places].tolist()], Labels(rows.kind, values)
