"""Columns of banks that depend on a prefix, and are deleted with it."""

from collections.abc import Collection
from pathlib import Path

from embank.encoders.prefix.folder import TOGETHER
from embank.recipe import ColumnName
from embank.store.folder import Store


def columns_under(bank: Path, trunk: Path, digests: Collection[str]) -> list[str]:
    """Columns of a bank that are void when a trunk changes.

    Args:
        bank: its folder.
        trunk: all columns that any of its sets made together, now or before, are void after any change.
        digests: of prefixes or sets that go, as readings name them.

    Raises:
        NotABankError: there is no bank.
    """
    with Store(bank) as store:
        columns, origin = store.catalogue.columns(), f"{trunk.resolve()}#{TOGETHER}"
        sets = {name for name, (_, facts) in store.catalogue.encoders().items() if facts.get("origin") == origin}
        return [
            name
            for name, column in columns.items()
            if column.recipe.reading.prefix in digests or ColumnName.parse(name).encoder in sets
        ]
