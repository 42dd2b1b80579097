"""`embank dedup`: groups of texts that are nearly the same."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

import embank
from embank.cli._flags import COLUMNS, BankPath, OneColumn, Output, Printed, one_column
from embank.reports.progress import Step, shown
from embank.reports.wording import counted

if TYPE_CHECKING:
    from embank import DedupReport

EXAMPLES = (
    "embank dedup bank -o groups.csv",
    "embank dedup bank --threshold 0.95 --approximate -o groups.parquet",
)


def dedup(
    bank: BankPath,
    output: Output,
    printed: Printed,
    threshold: float = COLUMNS.option(0.9, "Cosine from which two texts are nearly the same."),
    columns: OneColumn = None,
    approximate: bool = COLUMNS.option(
        False, "Compare each text with those that a graph finds near it, not with every text."
    ),
) -> None:
    """Group texts that are nearly the same.

    Ids of the same text are one group. A second run compares new texts only.
    """
    printed.check(output)
    column = one_column(columns, "dedup")
    settings = embank.DedupSettings(threshold, column, "approximate" if approximate else "exact")
    with (
        embank.Bank.open(bank) as opened,
        embank.tables.open_writer(output) as writer,
        _progress(quiet=printed.silent) as progress,
    ):
        found = opened.dedup(settings, progress)
        for block in found.blocks():
            writer.write(block)
    if str(output) != "-":
        printed.show({**asdict(found.report), "output": str(output)}, lambda: _print(found.report, str(output)))


def _print(report: "DedupReport", output: str) -> None:
    typer.echo(
        f"{counted(report.texts, 'text')} in {report.column}: {counted(report.groups, 'group')} "
        f"with {report.texts_in_groups:,} near-duplicate texts and {report.repeated_ids:,} repeated ids: {output}"
    )
    if report.way == "approximate":
        typer.echo("found with a graph of neighbours: a few near duplicates may be missing")
    if report.known:
        typer.echo(f"{report.known:,} texts were grouped before, and compared with new ones only")
    if report.without:
        typer.echo(f"{counted(report.without, 'text')} without a vector in this column left out")


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    with shown("comparing", on=not quiet) as show:
        yield lambda done, total: show(Step(done, total, "texts"))
