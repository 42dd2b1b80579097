"""Loading tasks from a bank; one whose columns were deleted or changed is refused, with the command that repairs it."""

from collections.abc import Sequence

from embank.errors import HeadError, UsageError
from embank.heads.storage import load_head
from embank.predict import LoadedTask
from embank.store import StoredTask
from embank.store.folder import Store


def load_tasks(store: Store, names: Sequence[str] = ()) -> list[LoadedTask]:
    """Load tasks by name, or all of them; tails are left out.

    Raises:
        UsageError: unknown task, or a bank without tasks.
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
    """Those of the named tasks (or of all) that are tails; `load_tasks` refuses unknown names.

    Raises:
        HeadError: the states that a tail starts from are of another recipe now.
    """
    stored = store.catalogue.tasks()
    found = [stored[name] for name in names or stored if stored[name].states is not None]
    for task in found:
        _check_columns(store, task)
    return found


def _load(store: Store, task: StoredTask) -> LoadedTask:
    _check_columns(store, task)
    head = load_head(store.root / task.folder)
    return LoadedTask(
        name=task.name,
        head=head,
        columns=tuple(task.record["columns"]),
        reads=task.record["reads"],
        record=task.record,
    )


def _check_columns(store: Store, task: StoredTask) -> None:
    """Refuse a task that was fitted on other columns than the bank has now; the states of a tail may be gone."""
    columns = store.catalogue.columns()
    repair = f"fit it again: embank fit {store.root} --refit --task {task.name}"
    for name, fingerprint in task.record["columns"].items():
        if name not in columns:
            if task.states is None:
                raise HeadError(f"task {task.name!r} reads column {name}, which this bank no longer has; {repair}")
        elif columns[name].recipe.fingerprint != fingerprint:
            raise HeadError(f"task {task.name!r} was fitted on another {name} than the bank has now; {repair}")
