"""Learning a pooling: queries and weights of layers, trained for one task on states, with the loop of tails."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from embank.arrays import TextIds
from embank.encode.state_loader import StateSource
from embank.encoders import Encoder
from embank.errors import HeadError
from embank.fit import FitReport
from embank.fit.examples import collect
from embank.fit.objective import objective_for
from embank.labels.kinds import POOLED
from embank.labels.read import read_labels
from embank.models.learned_pooling import LearnedPooling, PooledHead, weights_of
from embank.models.pooling_design import RATE, PoolingSettings
from embank.models.pooling_file import StoredPooling, keep
from embank.recipe import ColumnName
from embank.store.folder import Store
from embank.texts import Text
from embank.training.loop import Trained
from embank.training.settings import TrainingWatch
from embank.training.state_inputs import LayerInputs
from embank.training.supervised import LabelledSplit, Scores, score, train_supervised


@dataclass(frozen=True, eq=False)
class FittedPooling:
    """A pooling that was learned.

    Attributes:
        head: the pooling with the output layer that it was learned by, in evaluation mode.
        trained: how training went.
        scores: measures of the output layer.
    """

    head: PooledHead
    trained: Trained
    scores: Scores


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
    lower: Callable[[ColumnName, Sequence[Text]], Encoder]
    contents: Mapping[int, Text]
    skip: int
    watch: TrainingWatch


def fit_pooling(
    data: LabelledSplit, settings: PoolingSettings, width: int, watch: TrainingWatch = lambda _: None
) -> FittedPooling:
    """Train a pooling and its output layer.

    Args:
        data: examples with their states, as `LayerInputs` gives them.
        settings: design, training and dropout.
        width: dimensions of a state.
        watch: progress callback, called after every step.

    Raises:
        HeadError: training went astray.
    """
    training = replace(settings.training, rate=settings.training.rate or RATE)
    pooling = LearnedPooling(settings.design, width, training.seed)
    head = PooledHead(pooling, data.objective.n_outputs, settings.dropout, training.seed)
    trained = train_supervised(head, data, training, watch=watch)
    return FittedPooling(head, trained, score(head, data))


def learn_stored(
    store: Store, name: str, labels: Sequence[Any], numbers: TextIds, settings: PoolingSettings, tools: PoolingTools
) -> tuple[FitReport, StoredPooling]:
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
    parsed = read_labels(labels, settings.kind, kinds=POOLED)
    examples, skipped = collect(numbers.tolist(), None, parsed, settings.training.seed)
    train, held_back = examples.split
    objective, names = objective_for((parsed.kind, examples.values), (), train, None)
    data = LabelledSplit(layer_inputs(store, examples.texts, tools), objective, train, held_back)
    stored = [store.column(str(column)) for column in tools.columns]
    width = _one([column.width for column in stored])
    fitted = fit_pooling(data, settings, width, tools.watch)
    pooling = StoredPooling(
        name=name,
        design=settings.design,
        sources={column.name: column.recipe.fingerprint for column in stored},
        width=width,
        skip=tools.skip,
        weights=weights_of(fitted.head.pooling),
    )
    keep(store.root, pooling)
    report = FitReport(
        task=name,
        kind=parsed.kind,
        labels=names,
        examples=len(examples.texts),
        held_back=len(held_back),
        skipped=skipped,
        columns=tuple(pooling.sources),
        chosen=_chosen(settings, width, fitted.trained),
        train=fitted.scores.train,
        validation=fitted.scores.validation,
        baseline=fitted.scores.baseline,
        measure=objective.primary,
        tried=fitted.trained.passes,
        seconds=time.monotonic() - began,
    )
    return report, pooling


def layer_inputs(store: Store, numbers: TextIds, tools: PoolingTools) -> LayerInputs:
    """Texts of the bank with their states in each of the columns.

    Raises:
        HeadError: a text's states are neither banked nor to be computed.
    """
    layers = [StateSource(store, str(column), partial(tools.lower, column), tools.contents) for column in tools.columns]
    return LayerInputs(layers, numbers, tools.skip)


def _chosen(settings: PoolingSettings, width: int, trained: Trained) -> dict[str, Any]:
    """What there is to say of a pooling, in words."""
    return {
        "head": f"learned pooling ({settings.design.over}, {settings.design.mix})",
        "vectors": settings.design.queries,
        "width": settings.design.width(width),
        "learning rate": float(settings.training.rate or RATE),
        **trained.summary,
    }


def _one(widths: Sequence[int]) -> int:
    if len(set(widths)) != 1:
        listed = ", ".join(map(str, widths))
        raise HeadError(f"found states {listed} wide, expected columns of one width: name layers of one encoder")
    return widths[0]
