"""`embank forget`: delete tasks, columns or texts, and reclaim the space."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

import embank
from embank.cli import _completion as completion
from embank.cli._flags import COLUMNS, ROWS, TASK, BankPath, Printed, listed
from embank.cli._input import Source, rows_of
from embank.reports.wording import size

if TYPE_CHECKING:
    from embank import Bank

EXAMPLES = (
    "embank forget bank --task urgent",
    "embank forget bank --ids erasure-requests.txt",
)


def forget(
    bank: BankPath,
    printed: Printed,
    task: list[str] | None = TASK.option(
        None, "Task to delete; repeatable.", metavar="NAME", complete=completion.tasks
    ),
    columns: str | None = COLUMNS.option(None, "Columns to delete.", metavar="SPEC,...", complete=completion.columns),
    ids: Path | None = ROWS.option(
        None, "Delete the texts that this file names: one id per line, or a table.", metavar="FILE"
    ),
    id_column: str = ROWS.option("id", "Column of ids in a table.", "--id", metavar="COL"),
    stale: bool = COLUMNS.option(
        False, "Delete graphs, groups and lengths that fit nothing any more; each of the others does it too."
    ),
) -> None:
    """Delete tasks, columns or texts, and reclaim the space."""
    if not (task or columns or ids or stale):
        raise embank.errors.UsageError("say what to forget: --task NAME, --columns SPEC, --ids FILE or --stale")
    with embank.Bank.open(bank) as opened:
        before = opened.summary().bytes["total"]
        for name in task or []:
            opened.forget_task(name)
        readers = {name: opened.forget_column(name) for name in listed(columns)}
        texts, unknown = _texts(opened, ids, id_column)
        if stale:
            opened.forget_stale()
        after = opened.summary().bytes["total"]
    found = {
        "tasks": task or [],
        "columns": [{"column": name, "tasks_to_refit": orphaned} for name, orphaned in readers.items()],
        "texts": texts,
        "unknown_ids": unknown,
        "bytes_reclaimed": max(before - after, 0),
        "bytes_left": after,
    }
    printed.show(found, lambda: _print(bank, found, named=ids is not None))


def _texts(bank: "Bank", ids: Path | None, column: str) -> tuple[int, list[Any]]:
    """Delete the texts that a file names: how many, and the ids that the bank does not have."""
    if ids is None:
        return 0, []
    named = rows_of(Source(files=[ids], text=column))[column]
    return bank.forget_ids([name for name in named if name not in (None, "")])


def _print(bank: Path, found: dict[str, Any], *, named: bool) -> None:
    for name in found["tasks"]:
        typer.echo(f"forgot task {name}")
    for one in found["columns"]:
        typer.echo(f"forgot column {one['column']}")
        for reader in one["tasks_to_refit"]:
            typer.echo(f"  task {reader} reads it and must be fitted again: embank fit {bank} --refit --task {reader}")
    if named:
        typer.echo(f"forgot {found['texts']:,} texts")
    if found["unknown_ids"]:
        typer.echo(f"  {len(found['unknown_ids']):,} ids are not in the bank, the first is {found['unknown_ids'][0]!r}")
    typer.echo(f"{size(found['bytes_reclaimed'])} reclaimed, {size(found['bytes_left'])} left")
