"""`embank export`: a column's vectors for other tools."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import embank
from embank.cli import _flags as flags
from embank.reports.wording import counted


def export(
    bank: flags.BankPath,
    output: Annotated[
        Path, flags.flag("--output", "-o", metavar="OUT", help="The file to write; its extension is that of --to.")
    ],
    to: Annotated[str, flags.flag("--to", help="parquet, npy, usearch or faiss.")],
    column: Annotated[
        str | None,
        flags.flag(
            "--column",
            metavar="SPEC",
            help="Whose vectors; left out, the highest layer of those with the most texts, at its finest.",
        ),
    ] = None,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
) -> None:
    """Write a column's vectors at float32, with the ids of their texts."""
    with embank.Bank.open(bank) as opened:
        report = opened.export(output, to, column)
    if as_json:
        typer.echo(json.dumps(asdict(report)))
    elif not quiet:
        written = ", ".join(report.files)
        typer.echo(f"{counted(report.texts, 'vector')} of {report.width} from {report.column}: {written}")
