"""Trials of what is trained through layers: tails, students and whole encoders, stopped where the time is up."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embank.arrays import Vectors
from embank.encoders.limited_size import limited
from embank.labels.read import Labels
from embank.models.tail_design import TailDesign, TailOptions, TailSettings, default_rate
from embank.optional import load
from embank.planning import Way
from embank.planning.costs import TrainingPace
from embank.planning.intervals import Scored, scored
from embank.planning.material import Run, TaskRows, decided, inner_split
from embank.planning.schedule import Budget
from embank.recipe import ColumnName
from embank.texts import Text
from embank.training.settings import TrainingSettings

if TYPE_CHECKING:
    from embank.fit.finetune import FineTuneData


@dataclass(frozen=True, eq=False)
class Workshop:
    """What trials work with.

    Attributes:
        upper: loads the encoder once more, in torch and float32.
        texts: by number.
        states: float16 blocks `[tokens, width]` by layer and by number of the text.
        folder: for checkpoints of the plan's own.
        budget: that no trial outlives.
    """

    upper: Callable[[], Any]
    texts: Sequence[Text]
    states: Mapping[int, Mapping[int, np.ndarray]]
    folder: Path
    budget: Budget

    def opened(self) -> Any:
        """The encoder once more; every batch that it reads asks the budget."""
        encoder = self.upper()
        encoder.model.register_forward_pre_hook(lambda *_: self.budget.check())
        return encoder


@dataclass(frozen=True, eq=False)
class TrainedTrial:
    """One training, scored.

    Attributes:
        scored: on held-out rows.
        rows: that it was trained on, validation rows included.
        pace: how long it took.
        seconds: all in all.
    """

    scored: Scored
    rows: int
    pace: TrainingPace
    seconds: float


def trained_trial(shop: Workshop, way: Way, rows: TaskRows, run: Run, epochs: int) -> TrainedTrial:
    """Train one way on a run's training rows, and score it on those that are held out.

    Args:
        shop: what it works with.
        way: a tail, a student or full fine-tuning.
        rows: of the task.
        run: what is trained on and held out.
        epochs: passes.

    Raises:
        OutOfTimeError: the budget was used up before it was finished.
        HeadError: training went astray, or nothing can be learnt from the run's rows.
        UsageError: the family cannot be cut.
    """
    # All passes are made, and the best is kept: where stopping early is a matter of luck, so are seconds.
    settings = TrainingSettings(epochs=epochs, patience=epochs, seed=run.number)
    if way.family == "finetune":
        return _finetuned(shop, rows, run, settings)
    if way.family == "student":
        return _distilled(shop, way, rows, run, settings)
    return _tailed(shop, way, rows, run, settings)


def _tailed(shop: Workshop, way: Way, rows: TaskRows, run: Run, settings: TrainingSettings) -> TrainedTrial:
    began = time.perf_counter()
    modules = load("embank.models.tail", "torch")
    supervised, outputs_of = load("embank.training.supervised", "torch"), load("embank.training.outputs", "torch")
    state_inputs = load("embank.training.state_inputs", "torch")
    held = inner_split(rows, run)
    train, back = np.flatnonzero(~held), np.flatnonzero(held)
    encoder = shop.upper()
    values = [rows.values[at] for at in run.train.tolist()]
    objective: Any
    objective, names = load("embank.fit.objective", "torch").objective_for(
        Labels(rows.kind, tuple(values)), [], train, encoder
    )
    settings = replace(settings, rate=default_rate(way.method, encoder.width))
    options = TailOptions(pooling=encoder.pooling, width=TailSettings().width)
    design = TailDesign(cut=way.cut, method=way.method, kind=rows.kind, outputs=objective.n_outputs, options=options)
    tail = modules.build_tail(encoder.model, encoder.n_layers, design, settings.seed)
    tail.register_forward_pre_hook(lambda *_: shop.budget.check())
    source = load("embank.fit.cut_trials", "torch").MemorySource(
        _blocks(shop, way, rows.texts[np.concatenate([run.train, run.test])])
    )
    skip = encoder.tokenizing.skip
    inputs = state_inputs.StateInputs(source, rows.texts[run.train], skip)
    fixed = time.perf_counter() - began
    trained = supervised.train_supervised(tail, supervised.LabelledSplit(inputs, objective, train, back), settings)
    learned = objective.calibrated(back, outputs_of.predict_outputs(tail, inputs, back))
    others = state_inputs.StateInputs(source, rows.texts[run.test], skip)
    started = time.perf_counter()
    outputs = outputs_of.predict_outputs(tail, others, np.arange(len(run.test)))
    predicting = (time.perf_counter() - started) / len(run.test)
    guess = decided(rows, objective.served(learned).decide(objective.scaled(np.stack(outputs))), names)
    position = trained.position
    pace = TrainingPace(
        fixed, position.seconds / (position.epoch * len(run.train)), predicting, position.epoch, predicting
    )
    seconds = time.perf_counter() - began
    return TrainedTrial(scored(rows.y[run.test], guess, rows.kind, run.number), len(run.train), pace, seconds)


def _blocks(shop: Workshop, way: Way, texts: np.ndarray) -> dict[int, Vectors]:
    """States of texts as a column of the way would keep them."""
    steps = ColumnName.parse(way.columns[0]).steps
    layer = shop.states[way.cut]
    return {number: limited(layer[number].astype(np.float32), steps) for number in texts.tolist()}


def _finetuned(shop: Workshop, rows: TaskRows, run: Run, settings: TrainingSettings) -> TrainedTrial:
    began = time.perf_counter()
    finetuning, outputs_of = load("embank.fit.finetune", "torch"), load("embank.training.outputs", "torch")
    token_inputs = load("embank.training.token_inputs", "torch")
    encoder = shop.opened()
    task = finetuning.encoder_task(encoder, _rows_of(shop, rows, run), settings.seed)
    fixed = time.perf_counter() - began
    module, trained = finetuning.train_encoder(
        task, task.rated(settings), _checkpoint(shop, rows, run), shop.budget.check
    )
    back = task.data.held_back
    learned = task.objective.calibrated(back, outputs_of.predict_outputs(module, task.data.inputs, back))
    started = time.perf_counter()
    others = token_inputs.TokenInputs(encoder, [shop.texts[number] for number in rows.texts[run.test].tolist()])
    outputs = outputs_of.predict_outputs(module, others, np.arange(len(run.test)))
    predicting = (time.perf_counter() - started) / len(run.test)
    head = task.objective.served(learned)
    guess = decided(rows, head.decide(task.objective.scaled(np.stack(outputs))), task.names)
    position = trained.position
    pace = TrainingPace(
        fixed, position.seconds / (position.epoch * len(run.train)), predicting, position.epoch, predicting
    )
    seconds = time.perf_counter() - began
    return TrainedTrial(scored(rows.y[run.test], guess, rows.kind, run.number), len(run.train), pace, seconds)


def _distilled(shop: Workshop, way: Way, rows: TaskRows, run: Run, settings: TrainingSettings) -> TrainedTrial:
    """A student; where full fine-tuning was tried in the same run, its checkpoint serves as the teacher."""
    began = time.perf_counter()
    students = load("embank.distill.task_student", "torch")
    encoder = shop.opened()
    fixed = time.perf_counter() - began
    keep = students.DistillCheckpoints(
        _checkpoint(shop, rows, run), shop.folder / f"{_stem(rows, run)}-student.safetensors"
    )
    found = students.distil(
        encoder,
        _rows_of(shop, rows, run, tested=True),
        settings,
        students.StudentSettings(layers=way.layers),
        keep,
        shop.budget.check,
    )
    count = len(run.train)
    student, teacher = found.student, found.teacher
    passes, taught = len(student.report.tried), len(teacher.report.tried)
    predicting = 1 / student.texts_per_second + _tokenising(encoder, shop, rows, run)
    # Training a student is training its teacher first; both in seconds a row and pass of the student.
    row_pass = (student.seconds_per_pass * passes + teacher.seconds_per_pass * taught) / (passes * count)
    besides = (
        max(0.0, student.report.seconds - student.seconds_per_pass * passes) / count + 1 / teacher.texts_per_second
    )
    points = 100 * student.test[student.report.measure]
    outcome = Scored(points, len(run.test), None, bounded=rows.kind != "regression")
    pace = TrainingPace(fixed, row_pass, besides, passes, predicting)
    return TrainedTrial(outcome, count, pace, time.perf_counter() - began)


def _rows_of(shop: Workshop, rows: TaskRows, run: Run, *, tested: bool = False) -> "FineTuneData":
    texts, labels = _part(shop, rows, run.train)
    others, known = _part(shop, rows, run.test) if tested else ([], None)
    made: FineTuneData = load("embank.fit.finetune", "torch").FineTuneData(texts, labels, others, known)
    return made


def _part(shop: Workshop, rows: TaskRows, places: np.ndarray) -> tuple[list[Text], Labels]:
    values = tuple(rows.values[at] for at in places.tolist())
    return [shop.texts[number] for number in rows.texts[places].tolist()], Labels(rows.kind, values)


def _tokenising(encoder: Any, shop: Workshop, rows: TaskRows, run: Run) -> float:
    """Seconds a text."""
    texts = [shop.texts[number] for number in rows.texts[run.test].tolist()]
    started = time.perf_counter()
    encoder.tokens(texts)
    return (time.perf_counter() - started) / len(texts)


def _checkpoint(shop: Workshop, rows: TaskRows, run: Run) -> Path:
    return shop.folder / f"{_stem(rows, run)}.safetensors"


def _stem(rows: TaskRows, run: Run) -> str:
    """A file's name for one task and run, whatever the column is called."""
    return f"{rows.task.encode().hex()[:60]}-{run.number}"
