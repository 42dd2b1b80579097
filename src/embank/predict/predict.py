"""Predictions as blocks of a table: over the whole bank, or over a user's rows in their order."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from embank.arrays import TextIds
from embank.errors import UsageError
from embank.labels.kinds import APART
from embank.predict import LoadedTask, TaskOutputs
from embank.predict.fused import FusedHeads
from embank.predict.output_columns import answer_columns, spread
from embank.predict.scan import all_texts, scan
from embank.predict.tails import Tails
from embank.store.folder import Store
from embank.store.ids import TextNames, given_ids

Numbered = tuple[Sequence[Any] | None, TextIds, TextIds | None, Sequence[Any]]
"""A block of a user's rows: their ids or None, the numbers of their texts (-1 for none), of second texts, the texts."""

TAIL_BLOCK = 2048
"""Texts in a block where tails predict: enough to sort by length."""

Table = dict[str, pa.Array]


def answer_all(
    store: Store, tasks: Sequence[LoadedTask], *, proba: bool, tails: Tails | None = None
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


def _answer_with_tails(store: Store, tasks: Sequence[LoadedTask], tails: Tails, *, proba: bool) -> Iterator[Table]:
    """One scan for heads and tails; a text that lacks what a task reads has null there."""
    heads = FusedHeads(store, tasks)
    names = TextNames(store)
    numbers = store.catalogue.text_numbers()
    for start in range(0, len(numbers), TAIL_BLOCK):
        texts = numbers[start : start + TAIL_BLOCK]
        columns = _columns(heads.predict(texts), proba=proba) | tails.answer(texts, {}, proba=proba)
        rows, ids = names.rows_of(texts)
        yield {"id": ids, **(spread(columns, rows) if len(rows) != len(texts) else columns)}


def answer_rows(
    store: Store,
    tasks: Sequence[LoadedTask],
    blocks: Iterable[Numbered],
    *,
    proba: bool,
    tails: Tails | None = None,
) -> Iterator[Table]:
    """Predict a user's rows, one row out for each row in; a row without an id is called by its position from 0."""
    position = 0
    for ids, texts, seconds, contents in blocks:
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
            known = {int(number): text for number, text in zip(texts, contents, strict=True) if number >= 0}
            columns |= tails.answer(distinct, known, proba=proba)
        yield {"id": called, **spread(columns, rows)}


def _columns(found: Sequence[TaskOutputs], *, proba: bool) -> Table:
    columns: Table = {}
    for outputs in found:
        columns |= answer_columns(outputs, proba=proba)
    return columns
