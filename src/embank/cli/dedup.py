"""`embank dedup`: groups of texts that are nearly the same."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import embank
from embank.cli import _console as console
from embank.cli import _flags as flags
from embank.reports.wording import counted


def dedup(
    bank: flags.BankPath,
    output: Annotated[
        Path,
        flags.flag(
            "--output",
            "-o",
            metavar="GROUPS",
            help="Where to: a .parquet, .csv, .tsv or .jsonl file, or - for JSONL on standard output.",
        ),
    ],
    threshold: Annotated[
        float, flags.flag("--threshold", help="The cosine from which two texts are nearly the same.")
    ] = 0.9,
    column: Annotated[
        str | None,
        flags.flag(
            "--column",
            metavar="SPEC",
            help="Whose vectors; left out, the highest layer of those with the most texts, at its finest.",
        ),
    ] = None,
    approximate: Annotated[
        bool,
        flags.flag(
            "--approximate", help="Compare each text with those that a graph finds near it, not with every text."
        ),
    ] = False,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
) -> None:
    """Group texts that are nearly the same, and ids of the same text; a second run compares new texts only."""
    if as_json and str(output) == "-":
        raise embank.errors.UsageError("--json and -o - would both write on standard output: name a file")
    settings = embank.DedupSettings(threshold, column, "approximate" if approximate else "exact")
    with (
        embank.Bank.open(bank) as opened,
        embank.tables.open_writer(output) as writer,
        _progress(quiet=quiet or as_json) as progress,
    ):
        found = opened.dedup(settings, progress)
        for block in found.blocks():
            writer.write(block)
    report = found.report
    if as_json:
        typer.echo(json.dumps(asdict(report)))
    elif not quiet and str(output) != "-":
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
    if quiet or not sys.stderr.isatty():
        yield lambda *_: None
        return
    with console.bars("comparing", "texts, left:") as shown:
        bar = shown.add_task("", total=None)
        yield lambda done, total: shown.update(bar, completed=done, total=total)
