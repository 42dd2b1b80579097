"""`embank predict`: all tasks in one pass, one row per text."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _completion as completion
from embank.cli import _console as console
from embank.cli._flags import OUTPUT, TASK, BankPath, KnownEncoder, Output, Printed, TextRows, argument
from embank.cli._input import Source, paired_blocks, text_blocks

if TYPE_CHECKING:
    from embank import EncodeReport, TextBlock

EXAMPLES = (
    "embank predict bank -o predictions.parquet",
    "embank predict bank new.csv --text message --task urgent --proba -o new.csv",
)


@dataclass
class _Total:
    """What was encoded on the way, and shown."""

    show: Any
    report: "EncodeReport"

    def __call__(self, report: "EncodeReport") -> None:
        self.report = report
        self.show(report)


def predict(
    bank: BankPath,
    rows: TextRows,
    encoder: KnownEncoder,
    printed: Printed,
    files: Annotated[
        list[Path] | None,
        argument(
            "INPUT...",
            "Texts to predict, in any format that encode reads. Those that are not in the bank are encoded and added. "
            "Without any, every text of the bank is predicted.",
        ),
    ] = None,
    output: Output = Path("-"),
    task: list[str] | None = TASK.option(
        None, "Task to predict; repeatable. [default: all tasks]", metavar="NAME", complete=completion.tasks
    ),
    proba: bool = OUTPUT.option(False, "Add the probabilities of all classes."),
) -> None:
    """Predict tasks: labels and calibrated probabilities.

    For each task the output has a column of its name, and `<task>_score`, the probability of what was predicted.
    """
    printed.check(output)
    with embank.Bank.open(bank, encoder.opened()) as opened:
        first, second = _blocks(files or [], rows)
        with (
            console.progress(console.rows_in(files or []), quiet=printed.silent) as show,
            embank.tables.open_writer(output) as writer,
        ):
            total = _Total(show, embank.EncodeReport())
            for block in opened.answer(first, seconds=second, tasks=task or (), proba=proba, watch=total):
                writer.write(block)
        read, computed = opened.states_counts
        names = task or [one.name for one in opened.tasks()]
    console.print_faults(total.report, then="; their predictions are empty")
    found = {
        "rows": writer.rows,
        "tasks": names,
        "output": str(output),
        "new": total.report.new,
        "states_read": read,
        "states_computed": computed,
    }
    if str(output) != "-":
        printed.show(found, lambda: _print(found))


def _print(found: dict[str, Any]) -> None:
    added = f"; {found['new']:,} texts were new and are stored now" if found["new"] else ""
    typer.echo(f"{found['rows']:,} rows, tasks {', '.join(found['tasks'])}: {found['output']}{added}")
    if found["states_read"] or found["states_computed"]:
        typer.echo(f"states of {found['states_read']:,} texts were read, of {found['states_computed']:,} computed")


def _blocks(files: list[Path], rows: TextRows) -> "tuple[Iterator[TextBlock] | None, Iterator[TextBlock] | None]":
    if not files:
        return None, None
    source = Source.of(files, rows)
    if rows.pair_apart is None:
        return text_blocks(source), None
    left, right = tee(paired_blocks(source, rows.pair_apart))
    return (block for block, _ in left), (block for _, block in right)
