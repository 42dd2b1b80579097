"""`embank export`: a column's vectors for other tools."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import embank
from embank.cli._flags import OUTPUT, BankPath, OneColumn, Printed, flag, one_column
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
    columns: OneColumn = None,
) -> None:
    """Write a column's vectors for other tools.

    They are written at float32, with the ids of their texts.
    """
    with embank.Bank.open(bank) as opened:
        report = opened.export(output, to, one_column(columns, "export"))
    written = ", ".join(report.files)
    words = f"{counted(report.texts, 'vector')} of {report.width} from {report.column}: {written}"
    printed.show(asdict(report), words)
