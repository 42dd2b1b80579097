"""Learned pooling of a bank's states: trained for a task, then frozen into a column that heads read like any other."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from embank.arrays import TextIds, Vectors
from embank.encode import EncodeReport
from embank.encode.derived import Derived, fill_derived
from embank.encode.state_loader import StateSource
from embank.encoders.load import DEFAULT
from embank.encoders.tokenizer import Tokenizing
from embank.errors import HeadError, UsageError
from embank.fit.examples import collect
from embank.fit.fit import LabelledTexts
from embank.fit.objective import objective_for
from embank.fit.report import FitReport
from embank.labels.kinds import POOLED
from embank.labels.read import Labels, read_labels
from embank.models.learned_pooling import LearnedPooling, PooledHead, restored, weights_of
from embank.models.pooling_design import RATE, PoolingSettings
from embank.models.pooling_file import StoredPooling, keep
from embank.models.pooling_file import read as read_pooling
from embank.recipe import STATES, ColumnName, valid_name
from embank.session import Session
from embank.store.catalogue import UNKNOWN
from embank.texts import Text
from embank.training.datasets import batches_by_length
from embank.training.settings import TrainingWatch
from embank.training.state_inputs import LayerInputs
from embank.training.supervised import LabelledSplit, score, train_supervised

_BUDGET = 4096
"""Tokens of a batch while a column is filled."""


@dataclass(frozen=True, eq=False)
class LearnedColumn:
    """A pooling that was learned, and is kept in the bank.

    Attributes:
        report: how well its own output layer does; what a fit says.
        column: the column that `fill_pooling` writes; other weights have another name.
    """

    report: FitReport
    column: str


def learn_pooling(
    session: Session, name: str, given: LabelledTexts, settings: PoolingSettings, watch: TrainingWatch
) -> LearnedColumn:
    """Learn how states become vectors, for one task; texts whose states the bank lacks are encoded first.

    A fifth of the texts is held back, as in `Bank.fit`. Nothing is written into a column yet: that is `fill_pooling`.

    Args:
        session: of the bank.
        name: what to call the pooling; its column's name begins with it.
        given: the labelled texts, and one label per text: a class, a list of labels, or a number; None for no label.
        settings: design, kind, columns of states, training.
        watch: progress callback, called after every step.

    Raises:
        UsageError: columns that do not fit the design, or unequal numbers of texts and labels.
        HeadError: too few labels, one class only, states that can be had nowhere, or a training that went astray.
    """
    began = time.monotonic()
    valid_name(name, "a pooling")
    texts = given.texts or ()
    if len(given.labels) != len(texts):
        raise UsageError(f"found {len(given.labels)} labels for {len(texts)} texts, expected one each")
    columns = _columns(session, settings)
    numbers, contents = session.numbered(texts, session.wanted([str(column) for column in columns], None, None))
    parsed = read_labels(given.labels, settings.kind, kinds=POOLED)
    examples, skipped = collect(numbers.tolist(), None, parsed, settings.training.seed)
    train, held_back = examples.split
    objective, names = objective_for(Labels(parsed.kind, tuple(examples.values)), (), train, None)
    skip = _skip(session, columns[0].encoder)
    inputs = _inputs(session, columns, examples.texts, contents, skip)
    stored = [session.store.column(str(column)) for column in columns]
    width = _one([column.width for column in stored])
    training = replace(settings.training, rate=settings.training.rate or RATE)
    pooling = LearnedPooling(settings.design, width, training.seed)
    head = PooledHead(pooling, objective.n_outputs, settings.dropout, training.seed)
    data = LabelledSplit(inputs, objective, train, held_back)
    trained = train_supervised(head, data, training, watch=watch)
    scores = score(head, data)
    kept = StoredPooling(
        name=name,
        design=settings.design,
        sources={column.name: column.recipe.fingerprint for column in stored},
        width=width,
        skip=skip,
        weights=weights_of(head.pooling),
    )
    keep(session.store.root, kept)
    report = FitReport(
        task=name,
        kind=parsed.kind,
        labels=names,
        examples=len(examples.texts),
        held_back=len(held_back),
        skipped=skipped,
        columns=tuple(kept.sources),
        chosen={
            "head": f"learned pooling ({settings.design.over}, {settings.design.mix})",
            "vectors": settings.design.queries,
            "width": settings.design.width(width),
            "learning rate": float(training.rate or RATE),
            **trained.summary,
        },
        train=scores.train,
        validation=scores.validation,
        baseline=scores.baseline,
        measure=objective.primary,
        tried=trained.passes,
        seconds=time.monotonic() - began,
    )
    return LearnedColumn(report, str(_column_of(kept, settings.codec)))


def fill_pooling(session: Session, column: str, texts: Sequence[Any] | None = None) -> EncodeReport:
    """Write the pooled vectors of texts into a learned pooling's column; what has its vector is not computed again.

    Args:
        session: of the bank.
        column: as `learn_pooling` named it; another codec may follow the @.
        texts: these, which are encoded first where the bank lacks their states; None is every text that has states
            in all of the pooling's columns.

    Raises:
        HeadError: the bank keeps no such pooling, or its states are of another recipe than those it was learned on.
        UsageError: the bank has no such column of states.
        BankLockedError: another writer holds the bank.
        StorageFullError: no space is left; what was committed is kept.
    """
    store, named = session.store, ColumnName.parse(column)
    pooling = read_pooling(store.root, named.encoder)
    if str(_column_of(pooling, named.codec)) != str(named):
        raise UsageError(f"{column} is no column of this pooling; it fills {_column_of(pooling, named.codec)}")
    contents: dict[int, Text] = {}
    if texts is not None:
        found, contents = session.numbered(texts, session.wanted(list(pooling.sources), None, None))
        numbers = np.unique(found[found != UNKNOWN])
    for source, fingerprint in pooling.sources.items():
        if store.column(source).recipe.fingerprint != fingerprint:
            raise HeadError(f"{source} holds other states than {named.encoder} was learned on; learn it again")
    if texts is None:
        numbers = store.catalogue.text_numbers()
        for source in pooling.sources:
            numbers = numbers[store.reader(source).has(numbers)]
    columns = [ColumnName.parse(source) for source in pooling.sources]
    inputs = _inputs(session, columns, numbers, contents, pooling.skip)
    module = restored(pooling.design, pooling.width, pooling.weights)
    derived = Derived(named, pooling.digest, f"pooling of {', '.join(pooling.sources)}")
    return fill_derived(store, derived, numbers, lambda which: _pooled(module, inputs, which))


def _inputs(
    session: Session, columns: Sequence[ColumnName], numbers: TextIds, contents: Mapping[int, Text], skip: int
) -> LayerInputs:
    """Texts of a bank with their states in each of the columns; `skip` positions at their heads are left out."""
    return LayerInputs([StateSource(session.encoders, str(column), contents) for column in columns], numbers, skip)


def _pooled(module: LearnedPooling, inputs: LayerInputs, which: np.ndarray) -> Vectors:
    """Vectors of some examples, float32 `[examples, width]`, in their order."""
    found = np.empty((len(which), module.design.width(module.width)), np.float32)
    with torch.inference_mode():
        for places in batches_by_length(inputs.lengths[which], _BUDGET):
            found[places] = module(**inputs.inputs(which[places])).numpy()
    return found


def _column_of(pooling: StoredPooling, codec: str) -> ColumnName:
    """The column that a stored pooling fills: its name holds a digest of the learned weights, and its highest layer."""
    return ColumnName(pooling.encoder, pooling.design.layers[-1], "own", (), codec)


def _columns(session: Session, settings: PoolingSettings) -> list[ColumnName]:
    """One column of states for each layer: those that were named, those that the bank has, or new ones at float16."""
    layers = settings.design.layers
    if settings.columns:
        named = [ColumnName.parse(spec) for spec in settings.columns]
        if not all(column.is_states for column in named) or tuple(column.layer for column in named) != layers:
            listed, wanted = ", ".join(settings.columns), ", ".join(map(str, layers))
            raise UsageError(f"found columns {listed} for layers {wanted}, expected states of these layers in order")
        return named
    there = [ColumnName.parse(name) for name in session.store.catalogue.columns()]
    states = [column for column in there if column.is_states and not column.steps]
    encoder = (states or there)[0].encoder if there else DEFAULT
    known = {column.layer: column for column in reversed(states) if column.encoder == encoder}
    return [known.get(layer, ColumnName(encoder, layer, STATES)) for layer in layers]


def _skip(session: Session, encoder: str) -> int:
    """How many positions a prompt takes that pooling leaves out; without a prompt nothing has to be opened."""
    reading, _ = session.store.catalogue.encoders()[encoder]
    if not reading.prompt:
        return 0
    return int(Tokenizing(session.encoders.known(encoder).folder, reading).skip)


def _one(widths: Sequence[int]) -> int:
    if len(set(widths)) != 1:
        listed = ", ".join(map(str, widths))
        raise HeadError(f"found states {listed} wide, expected columns of one width: name layers of one encoder")
    return widths[0]
