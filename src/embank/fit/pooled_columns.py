"""Learned pooling of a bank's states: trained for a task, then frozen into a column that heads read like any other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embank.encode import EncodeReport
from embank.encode.learned_pooling import column_of, fill_learned
from embank.encoders.load import DEFAULT
from embank.encoders.tokenizer import Tokenizing
from embank.errors import HeadError, UsageError
from embank.fit import FitReport, LabelledTask
from embank.fit.examples import collect
from embank.fit.pooling import LayerColumns, learn_stored
from embank.labels.kinds import POOLED
from embank.labels.read import read_labels
from embank.models.pooling_design import PoolingSettings
from embank.models.pooling_file import read as read_pooling
from embank.recipe import STATES, ColumnName, valid_name
from embank.session import Session
from embank.store.catalogue import UNKNOWN
from embank.texts import Text
from embank.training.settings import TrainingWatch


@dataclass(frozen=True, eq=False)
class LearnedColumn:
    """A pooling that was learned, and is kept in the bank.

    Attributes:
        report: how well its own output layer does; what a fit says.
        column: the column that `fill_pooling` writes; other weights have another name.
    """

    report: FitReport
    column: str


class PooledColumns:
    """Learns poolings on the states of a bank, and fills their columns."""

    def __init__(self, session: Session) -> None:
        """Work on the bank of `session`."""
        self._session = session

    def learn(
        self,
        name: str,
        labels: Sequence[Any],
        texts: Sequence[Any],
        settings: PoolingSettings,
        watch: TrainingWatch = lambda _: None,
    ) -> LearnedColumn:
        """Learn how states become vectors, for one task; texts whose states the bank lacks are encoded first.

        Nothing is written into a column yet: that is `fill`.

        Args:
            name: what to call the pooling; its column's name begins with it.
            labels: one per text: a class, a list of labels, or a number; None otherwise.
            texts: the labelled texts.
            settings: design, kind, columns of states, training.
            watch: told after every step.

        Raises:
            UsageError: columns that do not fit the design, or unequal numbers of texts and labels.
            HeadError: too few labels, or one class only.
        """
        session = self._session
        valid_name(name, "a pooling")
        if len(labels) != len(texts):
            raise UsageError(f"found {len(labels)} labels for {len(texts)} texts, expected one each")
        columns = _columns(session, settings)
        wanted = session.wanted([str(column) for column in columns], None, None)
        numbers, contents = session.numbered(texts, wanted)
        parsed = read_labels(labels, settings.kind, kinds=POOLED)
        examples, skipped = collect(numbers.tolist(), None, parsed, settings.training.seed)
        task = LabelledTask(name=name, kind=parsed.kind, examples=examples, skipped=skipped, contents=contents)
        states = LayerColumns(columns, _skip(session, columns[0].encoder))
        report, pooling = learn_stored(session, task, states, settings, watch)
        return LearnedColumn(report, str(column_of(pooling, settings.codec)))

    def fill(self, column: str, texts: Sequence[Any] | None = None) -> EncodeReport:
        """Write the pooled vectors of texts into a learned pooling's column; what has its vector is not computed again.

        Args:
            column: as `learn` named it; another codec may follow the @.
            texts: these, which are encoded first where the bank lacks their states; None is every text that has states
                in all of the pooling's columns.

        Raises:
            HeadError: the bank keeps no such pooling, or its states are of another recipe than those it was learned on.
            UsageError: the bank has no such column of states.
        """
        session = self._session
        named = ColumnName.parse(column)
        pooling = read_pooling(session.store.root, named.encoder)
        sources = [ColumnName.parse(source) for source in pooling.sources]
        if str(column_of(pooling, named.codec)) != str(named):
            raise UsageError(f"{column} is no column of this pooling; it fills {column_of(pooling, named.codec)}")
        store = session.store
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
        inputs = LayerColumns(sources, pooling.skip).inputs(session, numbers, contents)
        return fill_learned(store, pooling, inputs, numbers, named.codec)


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
