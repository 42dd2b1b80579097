"""`embank predict`: all tasks in one pass, one row a text."""

from collections.abc import Iterator
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import embank
from embank.cli import _console as console
from embank.cli import _flags as flags
from embank.cli._input import Source, paired_blocks, text_blocks
from embank.cli._options import bank_options

if TYPE_CHECKING:
    from embank import EncodeReport, TextBlock


def predict(
    bank: flags.BankPath,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUT...",
            help="Texts to predict, in any format that encode reads; left out, every "
            "text of the bank. Texts that are not in the bank are encoded and added.",
        ),
    ] = None,
    output: Annotated[
        Path,
        flags.flag(
            "--output",
            "-o",
            metavar="OUT",
            help="Where to: a .parquet, .csv, .tsv or .jsonl file, or - for JSONL on standard output.",
        ),
    ] = Path("-"),
    task: Annotated[
        list[str] | None, flags.flag("--task", metavar="NAME", help="A task to predict, again for more; left out, all.")
    ] = None,
    text: flags.TextColumn = "text",
    words: flags.WordsColumn = None,
    pair: flags.PairColumn = None,
    pair_apart: flags.ApartColumn = None,
    id_column: flags.IdColumn = None,
    proba: Annotated[bool, flags.flag("--proba", help="Add the probabilities of all classes.")] = False,
    as_format: flags.Format = None,
    quiet: flags.Quiet = False,
    encoder: flags.MovedEncoder = None,
    backend: flags.Backend = None,
    dtype: flags.Dtype = None,
    cache: flags.Cache = None,
    local_files_only: flags.Offline = False,
) -> None:
    """Predict tasks for texts: per task its label, and `<task>_score`, the calibrated probability."""
    options = bank_options(backend, dtype, cache, local_files_only=local_files_only, moved=encoder)
    with embank.Bank.open(bank, options) as opened:
        total = embank.EncodeReport()
        first, second = _blocks(Source(files or [], text, pair, id_column, as_format, words), pair_apart)
        with (
            console.progress(console.rows_in(files or []), quiet=quiet) as show,
            embank.tables.open_writer(output) as writer,
        ):

            def watch(report: "EncodeReport") -> None:
                nonlocal total
                total = report
                show(report)

            for block in opened.answer(first, seconds=second, tasks=task or (), proba=proba, watch=watch):
                writer.write(block)
        rows = writer.rows
        read, computed = opened.states_counts
        names = task or [one.name for one in opened.tasks()]
    if total.n_faults:
        typer.echo(
            f"{total.n_faults:,} of {total.rows:,} rows could not be encoded; their predictions are empty:", err=True
        )
        for fault in total.faults[: console.SHOWN]:
            typer.echo(f"  {fault.source}, row {fault.position}: {fault.reason}", err=True)
    if not quiet and str(output) != "-":
        added = f"; {total.new:,} texts were new and are banked now" if total.new else ""
        typer.echo(f"{rows:,} rows, tasks {', '.join(names)}: {output}{added}")
        if read or computed:
            typer.echo(f"states of {read:,} texts were read, of {computed:,} computed")


def _blocks(source: Source, apart: str | None) -> "tuple[Iterator[TextBlock] | None, Iterator[TextBlock] | None]":
    if not source.files:
        return None, None
    if apart is None:
        return text_blocks(source), None
    left, right = tee(paired_blocks(source, apart))
    return (block for block, _ in left), (block for _, block in right)
