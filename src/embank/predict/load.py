"""Loading tasks from a bank; one whose columns were deleted or changed is refused, with the command that mends it."""

from collections.abc import Sequence

from embank.errors import HeadError, UsageError
from embank.heads.storage import load_head
from embank.predict import LoadedTask
from embank.store import StoredTask
from embank.store.folder import Store


def load_tasks(store: Store, names: Sequence[str] = ()) -> list[LoadedTask]:
    """Load tasks by name, or all of them; tails are left out.

    Raises:
        UsageError: the bank has no task of that name, or none at all.
        HeadError: a column that a task reads is gone, or is no longer what it was fitted on.
    """
    stored = store.catalogue.tasks()
    if not stored:
        raise UsageError(
            f"{store.root} has no tasks yet: fit one with 'embank fit {store.root} LABELS --task NAME --label COLUMN'"
        )
    unknown = [name for name in names if name not in stored]
    if unknown:
        raise UsageError(f"{store.root} has no task {unknown[0]!r}; it has: {', '.join(stored)}")
    try:
        return [_load(store, stored[name]) for name in names or stored if stored[name].states is None]
    except HeadError as stale:
        if names or len(stored) == 1:
            raise
        raise HeadError(f"{stale}; or name the tasks to predict, with --task") from stale


def tail_tasks(store: Store, names: Sequence[str] = ()) -> list[StoredTask]:
    """Those of the named tasks (or of all) that are tails; `load_tasks` has looked whether they are there.

    Raises:
        HeadError: the states that a tail starts from are of another recipe now.
    """
    stored, columns = store.catalogue.tasks(), store.catalogue.columns()
    found = [stored[name] for name in names or stored if stored[name].states is not None]
    for task in found:
        for name, fingerprint in task.record["columns"].items():
            if name in columns and columns[name].recipe.fingerprint != fingerprint:
                mend = f"fit it again: embank fit {store.root} --refit --task {task.name}"
                raise HeadError(f"task {task.name!r} was fitted on another {name} than the bank has now; {mend}")
    return found


def _load(store: Store, task: StoredTask) -> LoadedTask:
    columns = store.catalogue.columns()
    for name, fingerprint in task.record["columns"].items():
        mend = f"fit it again: embank fit {store.root} --refit --task {task.name}"
        if name not in columns:
            raise HeadError(f"task {task.name!r} reads column {name}, which this bank no longer has; {mend}")
        if columns[name].recipe.fingerprint != fingerprint:
            raise HeadError(f"task {task.name!r} was fitted on another {name} than the bank has now; {mend}")
    head = load_head(store.root / task.folder)
    return LoadedTask(task.name, head, tuple(task.record["columns"]), task.record["reads"], task.record)
