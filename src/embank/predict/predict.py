"""Predictions as blocks of a table: over the whole bank, or over a user's rows in their order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embank.arrays import TextIds
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


@dataclass(frozen=True, eq=False)
class NumberedBlock:
    """A block of a user's rows with the numbers of their texts.

    Attributes:
        ids: what the user calls the rows, or None.
        numbers: of their texts, -1 for none.
        seconds: numbers of second texts, -1 for none; None if no text is a pair.
        texts: the texts themselves.
    """

    ids: Sequence[Any] | None
    numbers: TextIds
    seconds: TextIds | None
    texts: Sequence[Any]


TAIL_BLOCK = 2048
"""Texts in a block where tails predict: enough to sort by length."""

Table = dict[str, pa.Array]


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
            watch: called after each block with what was encoded so far.

        Raises:
            UsageError: tasks that read two texts apart without second texts.
        """
        store, heads = self._session.store, self._heads
        if blocks is None:
            return answer_all(store, heads, proba=proba, tails=self._tails)
        if seconds is None:
            apart = [task.name for task in heads if task.reads == APART]
            if apart and (self._named or (len(apart) == len(heads) and self._tails is None)):
                raise UsageError(
                    f"task {apart[0]!r} reads two texts apart: give second texts too (--text and --pair-apart)"
                )
        else:
            heads = [task for task in heads if task.reads == APART or self._named]
        rows = numbered_blocks(self._session, blocks, seconds, watch)
        return answer_rows(store, heads, rows, proba=proba, tails=self._tails)


def _load_tails(session: Session, names: Sequence[str]) -> "Tails | None":
    """The tails among some tasks (or all), or None."""
    stored = tail_tasks(session.store, names)
    if not stored:
        return None
    with missing_extra("torch"):
        from embank.predict.tails import Tails
    return Tails(session, stored)


def answer_all(
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


def numbered_blocks(
    session: Session,
    blocks: Iterable[TextBlock],
    seconds: Iterable[TextBlock] | None = None,
    watch: Watch = lambda _: None,
) -> Iterator[NumberedBlock]:
    """Blocks with the numbers of their texts; new texts are added to the bank on the way.

    Args:
        session: of the bank.
        blocks: the user's rows.
        seconds: blocks of second texts, as long as `blocks`, or None.
        watch: called after each block with what was encoded so far.
    """
    wanted = session.own_columns()
    total = EncodeReport()
    for block, second in zip(blocks, repeat(None) if seconds is None else seconds, strict=False):
        numbers, report = session.numbers(block, wanted)
        total.add(report)
        others = None
        if second is not None:
            others, report = session.numbers(second, wanted)
            total.add(report)
        watch(total)
        yield NumberedBlock(block.ids, numbers, others, block.texts)


def answer_rows(
    store: Store,
    tasks: Sequence[LoadedTask],
    blocks: Iterable[NumberedBlock],
    *,
    proba: bool,
    tails: "Tails | None" = None,
) -> Iterator[Table]:
    """Predict a user's rows, one row out for each row in; a row without an id is called by its position from 0."""
    position = 0
    for block in blocks:
        ids, texts, seconds = block.ids, block.numbers, block.seconds
        # made anew for each block: texts may have been added since the last one
        heads = FusedHeads(store, tasks)
        sound = texts >= 0 if seconds is None else (texts >= 0) & (seconds >= 0)
        pairs = texts[sound] if seconds is None else np.stack([texts[sound], seconds[sound]], axis=1)
        distinct, which = np.unique(pairs, axis=0, return_inverse=True)
        found = heads.predict(*((distinct,) if seconds is None else (distinct[:, 0].copy(), distinct[:, 1].copy())))
        rows = np.full(len(texts), -1, np.int64)
        rows[sound] = which.reshape(-1)
        called = pa.array(range(position, position + len(texts))) if ids is None else given_ids(ids)
        position += len(texts)
        columns = _columns(found, proba=proba)
        if tails is not None and seconds is None:
            known = {int(number): text for number, text in zip(texts, block.texts, strict=True) if number >= 0}
            columns |= tails.answer(distinct, known, proba=proba)
        yield {"id": called, **spread(columns, rows)}


def _columns(found: Sequence[TaskOutputs], *, proba: bool) -> Table:
    columns: Table = {}
    for outputs in found:
        columns |= answer_columns(outputs, proba=proba)
    return columns
