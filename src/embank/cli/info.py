"""`embank info`: what a bank holds."""

import typer

import embank
from embank.cli import _console as console
from embank.cli._flags import BankPath, Printed

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
        typer.echo(str(found))
