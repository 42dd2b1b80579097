"""`embank verify`: whether a bank is whole."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

import embank
from embank.cli import _console as console
from embank.cli._flags import BankPath, Printed

if TYPE_CHECKING:
    from embank.store import Damage

EXAMPLES = (
    "embank verify bank",
    "embank verify bank --json",
)


def verify(bank: BankPath, printed: Printed) -> None:
    """Check every digest and every row.

    Lists all damage, and exits with 1 if there is any.
    """
    with embank.Bank.open(bank) as opened:
        found = opened.verify()
        texts = len(opened) if not found else 0
        readable = not any(damage.kind == "catalogue" for damage in found)
        columns = {one.fingerprint: one.name for one in opened.summary().columns} if found and readable else {}
    if printed.as_json:
        console.print_json({"whole": not found, "damage": [asdict(damage) for damage in found]})
    elif found:
        _print(bank, found, columns)
    elif not printed.quiet:
        typer.echo(f"{bank} is whole: {texts:,} texts, every digest and every row checked")
    if found:
        raise typer.Exit(1)


def _print(bank: Path, found: "Sequence[Damage]", columns: Mapping[str, str]) -> None:
    """List damage on standard error, and say how to go on where rows are hit."""
    for damage in found:
        column = next((f" (column {name})" for digest, name in columns.items() if digest in damage.where), "")
        typer.echo(f"{damage.kind}: {damage.where}{column}: {damage.what}", err=True)
    lost = [damage for damage in found if not damage.can_be_made_again]
    if lost:
        typer.echo(
            f"{len(lost)} damaged: forget the column that is hit (embank forget {bank} --columns SPEC), "
            "then encode again",
            err=True,
        )
