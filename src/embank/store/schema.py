"""The catalogue's tables, and how an older catalogue becomes a current one.

Sizes matter here: a text costs one entry of `texts` (27 to 38 bytes), whatever the number of columns. Rows are found by
arithmetic (text number minus the segment's first), so no table has an entry for a row.
"""

import sqlite3
from pathlib import Path

from embank.errors import FormatError
from embank.store import FORMAT_VERSION

_VERSION_1 = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
-- a text's 16-byte key, and the bank's own number for it, never given twice
CREATE TABLE texts (key BLOB PRIMARY KEY, text INTEGER NOT NULL) WITHOUT ROWID;
-- what users call their texts; no affinity, so that integers stay integers
CREATE TABLE ids (id PRIMARY KEY, text INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX ids_by_text ON ids (text);
-- the texts themselves, only if the user keeps them (zlib over JSON)
CREATE TABLE bodies (text INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE encoders (name TEXT PRIMARY KEY, reading TEXT NOT NULL, facts TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE columns (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL UNIQUE,
    recipe TEXT NOT NULL, width INTEGER NOT NULL, dtype TEXT NOT NULL, cells INTEGER NOT NULL,
    folder TEXT NOT NULL, calibration TEXT);
CREATE TABLE segments (
    number INTEGER PRIMARY KEY AUTOINCREMENT, column INTEGER NOT NULL REFERENCES columns (number),
    first INTEGER NOT NULL, last INTEGER NOT NULL, rows INTEGER NOT NULL, parts TEXT NOT NULL);
CREATE INDEX segments_by_column ON segments (column, first);
CREATE TABLE tasks (name TEXT PRIMARY KEY, folder TEXT NOT NULL, record TEXT NOT NULL, parts TEXT NOT NULL);
-- rows of users' files that could not be encoded
CREATE TABLE faults (source TEXT, position INTEGER, id, reason TEXT NOT NULL, PRIMARY KEY (source, position))
    WITHOUT ROWID;
INSERT INTO settings VALUES ('next_text', 0), ('next_folder', 0);
"""

_VERSION_2 = """
-- columns of states: a segment of theirs has one more file, `offsets`; the tables are what they were
"""

_MIGRATIONS = (_VERSION_1, _VERSION_2)
"""Entry i takes a catalogue from version i to version i + 1."""


def version_of(connection: sqlite3.Connection) -> int:
    """Read the catalogue's version."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a catalogue that is not newer than this code to the current version, each step in one transaction."""
    version = version_of(connection)
    for step, script in enumerate(_MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {step};\nCOMMIT;")


def refuse_newer(version: int, where: Path) -> None:
    """Refuse a format that this code does not know.

    Raises:
        FormatError: the version is newer than this code.
    """
    if version > FORMAT_VERSION:
        raise FormatError(
            f"{where} has format version {version}; this Embank reads up to {FORMAT_VERSION}: upgrade with "
            "'pip install --upgrade embank'"
        )
