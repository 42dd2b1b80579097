"""The bank's folder: made, opened, read and written through one object."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

from embank.atomic import storage_errors, sync_folder, write_durably
from embank.errors import BankExistsError, NotABankError, UsageError
from embank.store import FORMAT_VERSION, StoredColumn
from embank.store.catalogue import Catalogue
from embank.store.schema import refuse_newer
from embank.store.segments import ColumnReader
from embank.store.writing import Writer, writer_lock

_MARK = "embank.json"
_CATALOGUE = "catalogue.sqlite"
_FOLDERS = ("columns", "tasks")


class Store:
    """One bank on disk. Any number of readers, one writer at a time."""

    def __init__(self, root: Path) -> None:
        """Open the bank at `root`.

        Raises:
            NotABankError: the folder is not a bank.
            FormatError: it is newer than this code.
        """
        self.root = root
        refuse_newer(_marked_version(root), root / _MARK)
        self.catalogue = Catalogue(root / _CATALOGUE)

    @classmethod
    def create(cls, root: Path) -> "Store":
        """Make an empty bank; the folder may exist if it is empty.

        Raises:
            BankExistsError: the folder is a bank already.
            NotABankError: the folder holds something else.
        """
        if (root / _MARK).exists():
            raise BankExistsError(f"{root} is a bank already: open it, or choose another folder")
        if root.exists() and not _is_empty(root):
            raise NotABankError(f"{root} is in use by something else: a new bank needs an empty folder, or a new name")
        with storage_errors(str(root)):
            for folder in (root, *(root / name for name in _FOLDERS)):
                folder.mkdir(parents=True, exist_ok=True)
            Catalogue.create(root / _CATALOGUE).close()
            sync_folder(root)
            sync_folder(root.parent)
            # The mark comes last: a folder with a mark is a whole bank.
            mark = {"format": FORMAT_VERSION, "made_by": f"embank {version('embank')}"}
            write_durably(root / _MARK, json.dumps(mark, indent=2).encode() + b"\n")
        return cls(root)

    def close(self) -> None:
        """Close the catalogue."""
        self.catalogue.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def column(self, name: str) -> StoredColumn:
        """Look a column up.

        Raises:
            UsageError: the bank has none of that name; the message lists those it has.
        """
        columns = self.catalogue.columns()
        if name not in columns:
            known = ", ".join(columns) or "none yet"
            raise UsageError(f"this bank has no column {name!r}; it has: {known}")
        return columns[name]

    def reader(self, name: str) -> ColumnReader:
        """Read a column as it is now."""
        column = self.column(name)
        return ColumnReader(self.root, column, lambda: self.catalogue.segments(column.number))

    @contextmanager
    def writer(self) -> Iterator[Writer]:
        """Hold the bank for writing.

        Raises:
            BankLockedError: another writer holds it.
        """
        with writer_lock(self.root):
            self.catalogue.bring_up_to_date()
            yield Writer(self.root, self.catalogue)
            self.catalogue.checkpoint()


_OWN = {_CATALOGUE, *(f"{_CATALOGUE}-{kind}" for kind in ("wal", "shm", "journal")), f"{_MARK}.pending"}
"""What a `create` that was interrupted before the mark may have left, beside empty folders."""


def is_bank(root: Path) -> bool:
    """Say whether a folder carries a bank's mark."""
    return (root / _MARK).is_file()


def _is_empty(root: Path) -> bool:
    if not root.is_dir():
        return False
    return all(
        not any(path.iterdir()) if path.is_dir() and path.name in _FOLDERS else path.name in _OWN
        for path in root.iterdir()
    )


def _marked_version(root: Path) -> int:
    mark = root / _MARK
    if not root.exists():
        raise NotABankError(f"there is no bank at {root}: make one with 'embank encode {root} FILE --text COLUMN'")
    if not mark.is_file():
        raise NotABankError(f"{root} is not a bank: it has no {_MARK}")
    try:
        found = int(json.loads(mark.read_bytes())["format"])
    except (ValueError, KeyError, TypeError, OverflowError) as fault:
        raise NotABankError(f'{mark} is damaged ({fault}); it should say {{"format": {FORMAT_VERSION}}}') from fault
    if found < 1:
        raise NotABankError(f'{mark} is damaged (format {found}); it should say {{"format": {FORMAT_VERSION}}}')
    return found
