"""Learning a pooling: queries and weights of layers, trained for one task on states, with the loop of tails."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from embank.arrays import TextIds
from embank.encode.state_loader import StateSource
from embank.errors import HeadError
from embank.fit import FitReport, LabelledTask
from embank.fit.objective import objective_for
from embank.models.learned_pooling import LearnedPooling, PooledHead, weights_of
from embank.models.pooling_design import RATE, PoolingSettings
from embank.models.pooling_file import StoredPooling, keep
from embank.recipe import ColumnName
from embank.session import Session
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
class LayerColumns:
    """The states that a pooling reads.

    Attributes:
        columns: of states, one for each layer of the design.
        skip: positions at the head of a text that pooling leaves out.
    """

    columns: Sequence[ColumnName]
    skip: int

    def inputs(self, session: Session, numbers: TextIds, contents: Mapping[int, Text]) -> LayerInputs:
        """Texts of a bank with their states in each of the columns.

        Raises:
            HeadError: a text's states are neither banked nor to be computed.
        """
        layers = [
            StateSource(session.store, str(column), partial(session.encoder_for, column), contents)
            for column in self.columns
        ]
        return LayerInputs(layers, numbers, self.skip)


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
    session: Session, task: LabelledTask, states: LayerColumns, settings: PoolingSettings, watch: TrainingWatch
) -> tuple[FitReport, StoredPooling]:
    """Learn a pooling on states of the bank, and keep it there; a fifth of the texts is held back, as in `Bank.fit`.

    Args:
        session: of the bank, which has the columns.
        task: what the user calls the pooling, and its labelled texts.
        states: what the pooling reads.
        settings: design, kind, training.
        watch: progress callback, called after every step.

    Returns:
        What a fit says, and the pooling as it is stored.

    Raises:
        HeadError: one class only, states that can be had nowhere, or a training that went astray.
    """
    began = time.monotonic()
    store, examples = session.store, task.examples
    train, held_back = examples.split
    objective, names = objective_for(task.labels, (), train, None)
    inputs = states.inputs(session, examples.texts, task.contents)
    data = LabelledSplit(inputs, objective, train, held_back)
    stored = [store.column(str(column)) for column in states.columns]
    width = _one([column.width for column in stored])
    fitted = fit_pooling(data, settings, width, watch)
    pooling = StoredPooling(
        name=task.name,
        design=settings.design,
        sources={column.name: column.recipe.fingerprint for column in stored},
        width=width,
        skip=states.skip,
        weights=weights_of(fitted.head.pooling),
    )
    keep(store.root, pooling)
    report = FitReport(
        task=task.name,
        kind=task.kind,
        labels=names,
        examples=len(examples.texts),
        held_back=len(held_back),
        skipped=task.skipped,
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
