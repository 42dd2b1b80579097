"""What a shell offers after TAB: words that are known, and the tasks, columns and encoders of the bank on the line."""

from collections.abc import Callable, Sequence
from pathlib import Path

import typer

import embank

Names = Callable[[Path], Sequence[str]]


def words(*known: str) -> Callable[[str], list[str]]:
    """Offer these words."""

    def offered(incomplete: str) -> list[str]:
        return [word for word in known if word.startswith(incomplete)]

    return offered


def tasks(context: typer.Context, incomplete: str) -> list[str]:
    """Offer the tasks of the bank on the line."""
    return _beginning(incomplete, _of_bank(context, lambda bank: embank.bank_names(bank).tasks))


def columns(context: typer.Context, incomplete: str) -> list[str]:
    """Offer the columns of the bank on the line; in a list with commas, for its last part."""
    before, comma, last = incomplete.rpartition(",")
    found = _of_bank(context, lambda bank: embank.bank_names(bank).columns)
    return [f"{before}{comma}{name}" for name in _beginning(last, found)]


def encoders(context: typer.Context, incomplete: str) -> list[str]:
    """Offer the encoders of the bank on the line, each with the sign that a folder follows."""
    return _beginning(incomplete, [f"{name}=" for name in _of_bank(context, lambda b: embank.bank_names(b).encoders)])


def _beginning(incomplete: str, names: Sequence[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _of_bank(context: typer.Context, names: Names) -> Sequence[str]:
    """What the bank has; nothing where there is no bank, or none that can be read: a shell must never see an error."""
    try:
        # A flag that still lacks its value ends the parsing before arguments are told apart: the first one is the bank.
        return names(Path(context.params.get("bank") or context.args[0]))
    except Exception:  # noqa: BLE001 - whatever is wrong is said when the command runs
        return []
