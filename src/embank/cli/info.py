"""`embank info`: what a bank holds."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

import embank
from embank.cli import _console as console
from embank.cli._flags import BankPath, Printed
from embank.reports.wording import counted

if TYPE_CHECKING:
    from embank import BankSummary

EXAMPLES = (
    "embank info bank",
    "embank info bank --json",
)


def info(bank: BankPath, printed: Printed) -> None:
    """Show texts, columns, bytes per text, encoders and tasks."""
    with embank.Bank.open(bank) as opened:
        found = opened.summary()
    if printed.as_json:
        faults = [dict(zip(("source", "position", "id", "reason"), fault, strict=True)) for fault in found.faults]
        console.print_json({**console.record(found), "faults": faults})
    elif not printed.quiet:
        _print(found)


def _print(found: "BankSummary") -> None:
    each = found.bytes["total"] / max(found.texts, 1)
    typer.echo(
        f"{found.path}: {counted(found.texts, 'text')}, {counted(found.ids, 'id')}, "
        f"{console.size(found.bytes['total'])}, {each:,.0f} bytes per text"
    )
    if found.kept_texts:
        typer.echo(f"the bank keeps {counted(found.kept_texts, 'text')} themselves (--keep-text)")
    rows = [
        [one.name, f"{one.rows:,}", str(one.width), str(one.row_bytes), console.size(one.bytes)]
        for one in found.columns
    ]
    console.print_table(["column", "rows", "width", "bytes per row", "on disk"], rows, (1, 2, 3, 4))
    for line in (*_encoders(found), *_tasks(found), *_made_again(found)):
        typer.echo(line)
    if found.faults:
        typer.echo(f"{counted(len(found.faults), 'row')} could not be encoded; --json lists them")


def _encoders(found: "BankSummary") -> Iterator[str]:
    for one in found.encoders:
        reading = f"reads {one.reading.get('max_tokens', '')} tokens ({one.reading.get('long', 'cut')})"
        shape = f"{one.layers} layers, {one.width} wide"
        yield f"encoder {one.name}: {one.family}, {shape}, {reading}, from {one.origin}; {one.compute}"


def _tasks(found: "BankSummary") -> Iterator[str]:
    for task in found.tasks:
        yield f"task {task.name}: {task.kind}, validation {console.MEASURES[task.measure]} {task.score:.3f}"


def _made_again(found: "BankSummary") -> Iterator[str]:
    """A line for each folder of files that are made again when they are needed."""
    for folder in dict.fromkeys(one.folder for one in found.auxiliary):
        own = [one for one in found.auxiliary if one.folder == folder]
        counts = {state: sum(one.state == state for one in own) for state in ("current", "behind", "stale")}
        states = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
        yield f"{folder}: {counted(len(own), 'file')}, {console.size(sum(one.size for one in own))}, {states}"
