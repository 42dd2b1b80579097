"""`embank export`: a column's vectors for other tools."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import embank
from embank.cli import _completion as completion
from embank.cli import _console as console
from embank.cli._flags import COLUMNS, OUTPUT, BankPath, Printed, flag, one_column
from embank.reports.wording import counted

EXAMPLES = (
    "embank export bank --to parquet -o vectors.parquet",
    "embank export bank --to faiss --columns minilm/6/mean@float16 -o vectors.faiss",
)


def export(
    bank: BankPath,
    output: Annotated[
        Path, flag(OUTPUT, "--output", "-o", metavar="OUT", help="File to write; its extension is that of --to.")
    ],
    to: Annotated[
        str,
        flag(
            OUTPUT, "--to", help="Format: parquet, npy, usearch or faiss.", words=("parquet", "npy", "usearch", "faiss")
        ),
    ],
    printed: Printed,
    columns: str | None = COLUMNS.option(
        None,
        "Column whose vectors are written. [default: the highest layer of those with the most texts, at its "
        "finest precision]",
        metavar="SPEC",
        complete=completion.columns,
    ),
) -> None:
    """Write a column's vectors for other tools.

    They are written at float32, with the ids of their texts.
    """
    with embank.Bank.open(bank) as opened:
        report = opened.export(output, to, one_column(columns, "export"))
    if printed.as_json:
        console.print_json(asdict(report))
    elif not printed.quiet:
        written = ", ".join(report.files)
        typer.echo(f"{counted(report.texts, 'vector')} of {report.width} from {report.column}: {written}")
