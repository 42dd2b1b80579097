"""Forgetting: a task, a column, or texts leave a bank, and the space that they took is given back.

Graphs, groups of near duplicates and lengths that fit nothing any more go with them: they may hold what was forgotten.
"""

from collections.abc import Callable

import numpy as np

from embank.arrays import TextIds
from embank.errors import UsageError
from embank.recipe import ColumnName
from embank.store.cache import sweep
from embank.store.catalogue import UNKNOWN
from embank.store.compaction import forget_texts
from embank.store.folder import Store


def drop_task(store: Store, task: str) -> None:
    """Drop a task with its head and labels.

    Raises:
        UsageError: no such task.
    """
    tasks = store.catalogue.tasks()
    if task not in tasks:
        raise UsageError(f"{store.root} has no task {task!r}; it has: {', '.join(tasks) or 'none'}")
    with store.writer() as writer:
        writer.drop_task(task)
    sweep(store)


def drop_column(store: Store, column: str, encoders: Callable[[], set[str]]) -> list[str]:
    """Drop a column, and its encoder if nothing else needs it.

    Args:
        store: the bank.
        column: its name.
        encoders: those that columns and tails need; called when the column has gone.

    Returns:
        Tasks that read it.

    Raises:
        UsageError: no such column.
    """
    name = store.column(str(ColumnName.parse(column))).name
    tasks = store.catalogue.tasks().values()
    orphaned = [task.name for task in tasks if name in task.record["columns"] and task.states is None]
    with store.writer() as writer:
        writer.drop_column(name)
        encoder = ColumnName.parse(name).encoder
        if encoder not in encoders():
            with store.catalogue.transaction():
                store.catalogue.drop_encoder(encoder)
    sweep(store)
    return orphaned


def drop_texts(store: Store, numbers: TextIds) -> int:
    """Drop texts from every column, with all their ids; returns how many were dropped."""
    gone = np.unique(numbers[numbers != UNKNOWN])
    if len(gone):
        with store.writer() as writer:
            forget_texts(writer, [store.reader(name) for name in store.catalogue.columns()], gone)
    sweep(store)
    return len(gone)
