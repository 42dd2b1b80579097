"""The names that a bank has, read from its catalogue alone: quick enough for completion while a user types."""

from dataclasses import dataclass
from pathlib import Path

from embank.store.folder import Store


@dataclass(frozen=True)
class BankNames:
    """Names of a bank's tasks, columns and encoders, in the order in which the catalogue lists them."""

    tasks: tuple[str, ...]
    columns: tuple[str, ...]
    encoders: tuple[str, ...]


def bank_names(path: str | Path) -> BankNames:
    """Read the names of a bank's tasks, columns and encoders.

    Raises:
        NotABankError: there is no bank.
        FormatError: it was made by a newer Embank.
    """
    store = Store(Path(path))
    try:
        catalogue = store.catalogue
        return BankNames(tuple(catalogue.tasks()), tuple(catalogue.columns()), tuple(catalogue.encoders()))
    finally:
        store.close()
