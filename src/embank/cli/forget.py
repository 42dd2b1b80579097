"""`embank forget`: drop a task, a column or texts, and reclaim the space."""

from pathlib import Path
from typing import Annotated

import typer

import embank
from embank.cli import _console as console
from embank.cli import _flags as flags
from embank.cli._input import Source, rows_of


def forget(
    bank: flags.BankPath,
    task: Annotated[
        list[str] | None,
        flags.flag("--task", metavar="NAME", help="A task to drop, again for more."),
    ] = None,
    column: Annotated[
        list[str] | None,
        flags.flag("--column", metavar="SPEC", help="A column to drop, again for more."),
    ] = None,
    ids: Annotated[
        Path | None,
        flags.flag(
            "--ids",
            metavar="FILE",
            help="Drop the texts that this file names: one id a line, or a table.",
        ),
    ] = None,
    id_column: Annotated[str, flags.flag("--id", metavar="COL", help="The column of ids in a table.")] = "id",
    stale: Annotated[
        bool,
        flags.flag(
            "--stale",
            help="Drop graphs, groups and lengths that fit nothing any more; each of the others does it too.",
        ),
    ] = False,
    quiet: flags.Quiet = False,
) -> None:
    """Drop tasks, columns, or texts from every column, and reclaim the space."""
    if not (task or column or ids or stale):
        raise embank.errors.UsageError("say what to forget: --task NAME, --column SPEC, --ids FILE or --stale")

    def say(line: str) -> None:
        if not quiet:
            typer.echo(line)

    with embank.Bank.open(bank) as opened:
        before = opened.summary().bytes["total"]
        for name in task or []:
            opened.forget_task(name)
            say(f"forgot task {name}")
        for name in column or []:
            orphaned = opened.forget_column(name)
            say(f"forgot column {name}")
            for reader in orphaned:
                say(f"  task {reader} reads it and must be fitted again: embank fit {bank} --refit --task {reader}")
        if ids is not None:
            named = rows_of(Source([ids], id_column))[id_column]
            gone, unknown = opened.forget_ids([name for name in named if name not in (None, "")])
            say(f"forgot {gone:,} texts")
            if unknown:
                say(f"  {len(unknown):,} ids are not in the bank, the first is {unknown[0]!r}")
        if stale:
            opened.forget_stale()
        after = opened.summary().bytes["total"]
    say(f"{console.size(max(before - after, 0))} reclaimed, {console.size(after)} left")
