"""`embank info`: what a bank holds."""

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
    faults = [dict(zip(("source", "position", "id", "reason"), fault, strict=True)) for fault in found.faults]
    printed.show({**console.record(found), "faults": faults}, str(found))
