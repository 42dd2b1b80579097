"""A connection to the catalogue's SQLite file, and its errors in the words of this package."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embank.errors import BankLockedError, DamageError, NotABankError, StorageFullError, UsageError
from embank.store.schema import refuse_newer, version_of

_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_TRUNCATE", "SQLITE_IOERR_SHMSIZE")
"""What SQLite calls it when a disk is full."""

_HELD = ("SQLITE_BUSY", "SQLITE_LOCKED")
"""What it calls it when another program has the catalogue open and does not let go."""


def connected(path: Path) -> sqlite3.Connection:
    """Connect to an existing catalogue; its commits survive a power cut.

    Raises:
        NotABankError: there is no such file.
        FormatError: it is newer than this code.
    """
    if not path.is_file():
        raise NotABankError(f"{path.parent} is not a bank: it has no {path.name}")
    connection = sqlite3.connect(path, isolation_level=None, timeout=30.0, check_same_thread=False)
    try:
        with translated(path):
            connection.execute("PRAGMA synchronous = FULL")  # a commit that was reported survives a power cut
            refuse_newer(version_of(connection), path)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Around statements: what SQLite raises becomes an error of the tree, which names the file and the next step."""
    try:
        yield
    except UnicodeDecodeError as fault:  # SQLite quotes what it found, and Python cannot read the quotation
        raise DamageError(f"{path} is damaged ({fault}); run 'embank verify'") from fault
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError, OverflowError) as fault:
        # closed, or given a value that SQLite has no place for, such as an integer of more than 64 bits
        raise UsageError(f"{path} cannot take this ({fault}): is the bank closed, or an id too large?") from fault
    except sqlite3.IntegrityError as fault:
        raise UsageError(f"{path} has this already, nothing was changed ({fault})") from fault
    except sqlite3.DatabaseError as fault:
        name = getattr(fault, "sqlite_errorname", "")
        if name in _FULL:
            message = f"no space left for {path}; what was committed before is kept: free some space, run again"
            raise StorageFullError(message) from fault
        if name in _HELD:
            raise BankLockedError(f"another program keeps {path} locked ({fault}): end it, run again") from fault
        raise DamageError(f"{path} is damaged ({fault}); run 'embank verify'") from fault
