"""What a bank remembers of a deduplication, so that the next one compares new texts only: one file, whole or absent.

It says which column it was made on, by number and fingerprint, and which texts it covers; what does not fit the bank
any more is not used. It can be deleted at any time.
"""

from pathlib import Path

from embank.arrays import TextIds
from embank.store import GROUPS, StoredColumn
from embank.store.cache import auxiliary_place, read_auxiliary, write_auxiliary


def remembered(root: Path, column: StoredColumn, kind: str) -> tuple[TextIds, TextIds] | None:
    """Texts that were grouped before in this way and the representative of each; None where nothing fits."""
    arrays = read_auxiliary(auxiliary_place(root, GROUPS, column, kind), ("texts", "representatives"))
    return None if arrays is None else (arrays["texts"], arrays["representatives"])


def remember(root: Path, column: StoredColumn, kind: str, grouped: tuple[TextIds, TextIds]) -> None:
    """Keep texts and their representatives; `kind` says at which threshold and in which way they were found.

    Raises:
        StorageFullError: no space is left; what was remembered before is kept.
    """
    texts, representatives = grouped
    write_auxiliary(auxiliary_place(root, GROUPS, column, kind), {"texts": texts, "representatives": representatives})
