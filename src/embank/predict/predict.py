"""Predictions as blocks of a table: over the whole bank, or over a user's rows in their order."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embank.encode import EncodeReport, TextBlock, Watch
from embank.errors import UsageError
from embank.labels.kinds import APART
from embank.optional import missing_extra
from embank.predict import LoadedTask, TaskOutputs
from embank.predict.fused import FusedHeads
from embank.predict.load import load_tasks, tail_tasks
from embank.predict.output_columns import answer_columns, spread
from embank.predict.scan import all_texts, scan
from embank.session import Session
from embank.store.folder import Store
from embank.store.ids import TextNames, given_ids

if TYPE_CHECKING:
    from embank.predict.tails import Tails


TAIL_BLOCK = 2048
"""Texts of a block that tails predict: enough to sort by length."""

Table = dict[str, pa.Array]

_Rows = tuple[TextBlock, TextBlock | None]
"""A block of texts, and the second texts of its rows, or None."""


class Predictor:
    """Tasks of a bank, loaded and ready to predict."""

    def __init__(self, session: Session, names: Sequence[str] = (), *, apart: bool = False) -> None:
        """Load tasks.

        Args:
            session: of the bank.
            names: of the tasks; empty is all that fit the rows.
            apart: whether rows have second texts that are read apart; no tail reads such rows.

        Raises:
            UsageError: unknown task, no task at all, or a named tail for texts that are read apart.
            HeadError: a column that a task reads is gone or has changed, or a tail is damaged.
            ExtraMissingError: a tail without torch.
        """
        self._session, self._named = session, bool(names)
        self._heads = load_tasks(session.store, names)
        self._tails = None if apart else _load_tails(session, names)
        if apart and names and (stored := tail_tasks(session.store, names)):
            raise UsageError(f"task {stored[0].name!r} is a tail and reads texts together: leave out the second texts")

    @property
    def states_counts(self) -> tuple[int, int]:
        """Texts whose states tails have read, and computed."""
        return (self._tails.hits, self._tails.misses) if self._tails else (0, 0)

    def tables(
        self,
        blocks: Iterable[TextBlock] | None,
        seconds: Iterable[TextBlock] | None = None,
        *,
        proba: bool = False,
        watch: Watch = lambda _: None,
    ) -> Iterator[Table]:
        """Predict block by block.

        Args:
            blocks: the user's rows; None is every text of the bank.
            seconds: blocks of second texts, as long as `blocks`, or None.
            proba: add the probabilities of all classes.
            watch: progress callback, called after each block with what was encoded so far.

        Raises:
            UsageError: tasks that read two texts apart without second texts.
        """
        store, heads = self._session.store, self._heads
        if blocks is None:
            return _answer_all(store, heads, proba=proba, tails=self._tails)
        if seconds is None:
            apart = [task.name for task in heads if task.reads == APART]
            if apart and (self._named or (len(apart) == len(heads) and self._tails is None)):
                raise UsageError(
                    f"task {apart[0]!r} reads two texts apart: give second texts too (--text and --pair-apart)"
                )
        else:
            heads = [task for task in heads if task.reads == APART or self._named]
        others: Iterable[TextBlock | None] = repeat(None) if seconds is None else seconds
        return self._answer_rows(heads, zip(blocks, others, strict=False), proba=proba, watch=watch)

    def _answer_rows(
        self, tasks: Sequence[LoadedTask], blocks: Iterable[_Rows], *, proba: bool, watch: Watch
    ) -> Iterator[Table]:
        """One row out for each row in; a row without an id is called by its position from 0. New texts are banked."""
        session, position = self._session, 0
        wanted = session.own_columns()
        total = EncodeReport()
        for block, second in blocks:
            texts, report = session.numbers(block, wanted)
            total.add(report)
            pairs = texts
            if second is not None:
                others, report = session.numbers(second, wanted)
                total.add(report)
                pairs = np.stack([texts, others], axis=1)
            watch(total)
            # made anew for each block: texts may have been added since the last one
            heads = FusedHeads(session.store, tasks)
            sound = (pairs >= 0) if second is None else (pairs >= 0).all(axis=1)
            distinct, which = np.unique(pairs[sound], axis=0, return_inverse=True)
            halves = (distinct,) if second is None else (distinct[:, 0].copy(), distinct[:, 1].copy())
            columns = _columns(heads.predict(*halves), proba=proba)
            if self._tails is not None and second is None:
                known = {int(number): text for number, text in zip(texts, block.texts, strict=True) if number >= 0}
                columns |= self._tails.answer(distinct, known, proba=proba)
            rows = np.full(len(texts), -1, np.int64)
            rows[sound] = which.reshape(-1)
            called = pa.array(range(position, position + len(texts))) if block.ids is None else given_ids(block.ids)
            position += len(texts)
            yield {"id": called, **spread(columns, rows)}


def _load_tails(session: Session, names: Sequence[str]) -> "Tails | None":
    """The tails among some tasks (or all), or None."""
    stored = tail_tasks(session.store, names)
    if not stored:
        return None
    with missing_extra("torch"):
        from embank.predict.tails import Tails
    return Tails(session, stored)


def _answer_all(
    store: Store, tasks: Sequence[LoadedTask], *, proba: bool, tails: "Tails | None" = None
) -> Iterator[Table]:
    """Predict every text of the bank, in order of its number; a text without an id is called by its hash.

    Raises:
        UsageError: all tasks read two texts apart, so there is nothing to predict for single ones.
    """
    together = [task for task in tasks if task.reads != APART]
    if tails is not None:
        yield from _answer_with_tails(store, together, tails, proba=proba)
        return
    if not together:
        raise UsageError("these tasks read two texts apart: give a file with --text and --pair-apart")
    heads = FusedHeads(store, together)
    names = TextNames(store)
    blocks = all_texts(heads.readers.values())
    for texts, columns in scan(heads, blocks, lambda found: _columns(found, proba=proba)):
        rows, ids = names.rows_of(texts)
        yield {"id": ids, **(spread(columns, rows) if len(rows) != len(texts) else columns)}


def _answer_with_tails(store: Store, tasks: Sequence[LoadedTask], tails: "Tails", *, proba: bool) -> Iterator[Table]:
    """One scan for heads and tails; a text that lacks what a task reads has null there."""
    heads = FusedHeads(store, tasks)
    names = TextNames(store)
    numbers = store.catalogue.text_numbers()
    for start in range(0, len(numbers), TAIL_BLOCK):
        texts = numbers[start : start + TAIL_BLOCK]
        columns = _columns(heads.predict(texts), proba=proba) | tails.answer(texts, {}, proba=proba)
        rows, ids = names.rows_of(texts)
        yield {"id": ids, **(spread(columns, rows) if len(rows) != len(texts) else columns)}


def _columns(found: Sequence[TaskOutputs], *, proba: bool) -> Table:
    columns: Table = {}
    for outputs in found:
        columns |= answer_columns(outputs, proba=proba)
    return columns
