"""Learning a pooling: queries and weights of layers, trained for one task on states, with the loop of tails."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from embank.arrays import TextIds
from embank.errors import HeadError
from embank.fit import FitReport
from embank.fit.examples import collect
from embank.fit.objective import measure_of, objective_for
from embank.labels.kinds import POOLED
from embank.labels.read import read_labels
from embank.models.pooling_design import RATE, PoolingSettings
from embank.optional import load
from embank.recipe import ColumnName
from embank.store.folder import Store
from embank.texts import Text
from embank.training.settings import TrainingWatch


@dataclass(frozen=True, eq=False)
class FittedPooling:
    """A pooling that was learned.

    Attributes:
        head: the pooling with the output layer that it was learned by; a torch module in evaluation mode.
        position: where training ended.
        learned: temperature and offsets of the outputs, scale of numbers.
        train: measures on the training examples.
        validation: measures on the held-back examples.
    """

    head: Any
    position: Any
    learned: Mapping[str, Any]
    train: Mapping[str, float]
    validation: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class PoolingTools:
    """What a bank lends to the learning of a pooling.

    Attributes:
        columns: of states, one for each layer of the design.
        lower: opens the encoder for states that are not banked.
        contents: texts by number, where the user gave them.
        skip: positions at the head of a text that pooling leaves out.
        watch: told after every step.
    """

    columns: Sequence[ColumnName]
    lower: Callable[[ColumnName, Sequence[Text]], Any]
    contents: Mapping[int, Text]
    skip: int
    watch: TrainingWatch


def fit_pooling(
    lessons: Any,
    task: tuple[Any, np.ndarray, np.ndarray],
    settings: PoolingSettings,
    width: int,
    watch: TrainingWatch = lambda _: None,
) -> FittedPooling:
    """Train a pooling and its output layer.

    Args:
        lessons: examples with their states, as `LayerLessons` gives them.
        task: what is asked of them; numbers of those that are trained on; numbers of those that are held back.
        settings: design, training and dropout.
        width: dimensions of a state.
        watch: told after every step.

    Raises:
        HeadError: training went astray.
    """
    modules, learning = load("embank.models.learned_pooling", "torch"), load("embank.training.fit", "torch")
    objective, train, back = task
    training = replace(settings.training, rate=settings.training.rate or RATE)
    pooling = modules.LearnedPooling(settings.design, width, training.seed)
    head = modules.PooledHead(pooling, objective.n_outputs, settings.dropout, training.seed)
    trained = learning.learn(head, learning.Assignment(lessons, objective, train, back), training, watch=watch)
    on_train, on_back = (learning.outputs_of(head, lessons, rows) for rows in (train, back))
    learned = objective.calibrated(back, on_back)
    measure = measure_of(objective, learned)
    return FittedPooling(head, trained.position, learned, measure(train, on_train), measure(back, on_back))


def learn_stored(
    store: Store, name: str, labels: Sequence[Any], numbers: TextIds, settings: PoolingSettings, tools: PoolingTools
) -> tuple[FitReport, Any]:
    """Learn a pooling on states of the bank, and keep it there; a fifth of the texts is held back, as in `Bank.fit`.

    Args:
        store: the bank, which has the columns.
        name: what the user calls the pooling.
        labels: one a text, as the user wrote them.
        numbers: of the texts; UNKNOWN where there is none.
        settings: design, kind, training.
        tools: what the bank lends.

    Returns:
        What a fit says, and the pooling as it is stored.

    Raises:
        HeadError: too few labels, one class only, states that can be had nowhere, or a training that went astray.
    """
    began = time.monotonic()
    storage, modules = load("embank.models.pooling_file", "torch"), load("embank.models.learned_pooling", "torch")
    parsed = read_labels(labels, settings.kind, kinds=POOLED)
    examples, skipped = collect(numbers.tolist(), None, parsed, settings.training.seed)
    held = np.array(examples.held_back, np.bool_)
    train, back = np.flatnonzero(~held), np.flatnonzero(held)
    objective, names = objective_for((parsed.kind, examples.values), (), train, None)
    lessons = layer_lessons(store, examples.texts, objective, tools)
    stored = [store.column(str(column)) for column in tools.columns]
    width = _one([column.width for column in stored])
    fitted = fit_pooling(lessons, (objective, train, back), settings, width, tools.watch)
    sources = {column.name: column.recipe.fingerprint for column in stored}
    weights = modules.weights_of(fitted.head.pooling)
    pooling = storage.StoredPooling(name, settings.design, sources, width, tools.skip, weights)
    storage.keep(store.root, pooling)
    report = FitReport(
        name,
        parsed.kind,
        names,
        len(examples.texts),
        len(back),
        skipped,
        tuple(sources),
        _chosen(settings, width, fitted.position),
        fitted.train,
        fitted.validation,
        objective.guess(train, back),
        objective.primary,
        {f"pass {number}": score for number, score in enumerate(fitted.position.scores, start=1)},
        time.monotonic() - began,
    )
    return report, pooling


def layer_lessons(store: Store, numbers: TextIds, objective: Any, tools: PoolingTools) -> Any:
    """Texts of the bank with their states in each of the columns.

    Raises:
        HeadError: a text's states are neither banked nor to be computed.
    """
    sources, lessons = load("embank.encode.state_loader", "torch"), load("embank.training.pooling_dataset", "torch")
    found = [
        sources.StateSource(store, str(column), lambda texts, own=column: tools.lower(own, texts), tools.contents)
        for column in tools.columns
    ]
    return lessons.LayerLessons(found, numbers, objective, tools.skip)


def _chosen(settings: PoolingSettings, width: int, position: Any) -> dict[str, Any]:
    """What there is to say of a pooling, in words."""
    return {
        "head": f"learned pooling ({settings.design.over}, {settings.design.mix})",
        "vectors": settings.design.queries,
        "width": settings.design.width(width),
        "learning rate": float(settings.training.rate or RATE),
        "passes": f"{position.best_epoch} of {position.epoch}",
        "steps": position.step,
        "training seconds": round(position.seconds, 1),
    }


def _one(widths: Sequence[int]) -> int:
    if len(set(widths)) != 1:
        listed = ", ".join(map(str, widths))
        raise HeadError(f"found states {listed} wide, expected columns of one width: name layers of one encoder")
    return widths[0]
