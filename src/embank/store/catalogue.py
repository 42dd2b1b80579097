"""The catalogue: one SQLite file that says which text is in which row."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from embank.arrays import TextIds
from embank.errors import DamageError, NotABankError
from embank.recipe import Reading
from embank.store import Segment, StoredColumn, StoredTask
from embank.store.connection import connected, translated
from embank.store.entries import Row, column_of, encoder_of, segment_of, task_of
from embank.store.schema import migrate
from embank.texts import KEY_BYTES

_LOOKUP = 8192
"""Keys in one query: below SQLite's limit on bound values, and large enough that its cost is the B-tree's."""

UNKNOWN = -1
"""The text number of a key that is not in the bank."""

_Entry = TypeVar("_Entry")


class Catalogue:
    """Reads and writes of the catalogue; a write happens inside `transaction` and is whole or absent."""

    def __init__(self, path: Path) -> None:
        """Open the catalogue at `path`.

        Raises:
            NotABankError: there is no readable catalogue there.
            FormatError: it is newer than this code.
        """
        self._path = path
        try:
            self._connection = connected(path)
        except DamageError as fault:
            raise NotABankError(f"{path} is no readable catalogue ({fault}); is the folder a bank?") from fault

    @classmethod
    def create(cls, path: Path) -> "Catalogue":
        """Make an empty catalogue."""
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection)
        return cls(path)

    def bring_up_to_date(self) -> None:
        """Bring a catalogue of an older format version to the current one; its writer does, before the first change."""
        with translated(self._path):
            migrate(self._connection)

    def close(self) -> None:
        """Fold the write-ahead log into the file, and close."""
        self._connection.close()

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file and give its space back, as far as readers allow."""
        with translated(self._path):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def vacuum(self) -> None:
        """Give the space of deleted entries back to the file system."""
        with translated(self._path):
            self._connection.execute("VACUUM")
        self.checkpoint()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries inside see one state of the catalogue, whatever a writer commits meanwhile."""
        self._ask("BEGIN")
        try:
            yield
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside, or nothing.

        Raises:
            StorageFullError: no space is left for the commit.
            UsageError: an entry exists already.
        """
        with translated(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    # texts

    def lookup(self, keys: Sequence[bytes]) -> TextIds:
        """Find the numbers of texts by key; UNKNOWN for those that the bank does not have."""
        numbers = np.full(len(keys), UNKNOWN, np.int64)
        for start in range(0, len(keys), _LOOKUP):
            page = keys[start : start + _LOOKUP]
            query = f"SELECT key, text FROM texts WHERE key IN ({','.join('?' * len(page))})"
            known = dict(self._ask(query, page))
            if known:
                with self._readable():
                    numbers[start : start + len(page)] = [known.get(key, UNKNOWN) for key in page]
        return numbers

    def version(self) -> tuple[int, int]:
        """Two numbers that stay as long as nobody, in this process or another, has changed the catalogue."""
        return self._number("PRAGMA data_version"), self._connection.total_changes

    def n_texts(self) -> int:
        """Count the texts."""
        return self._number("SELECT count(*) FROM texts")

    def next_text(self) -> int:
        """The number that the next new text will have."""
        return self._number("SELECT value FROM settings WHERE name = 'next_text'")

    def add_texts(self, keys: Sequence[bytes]) -> int:
        """Number new texts consecutively; returns the first number."""
        first = self.next_text()
        # in the order of the B-tree: neighbours share pages
        entries = sorted((key, first + offset) for offset, key in enumerate(keys))
        self._connection.executemany("INSERT INTO texts VALUES (?, ?)", entries)
        self._connection.execute("UPDATE settings SET value = ? WHERE name = 'next_text'", (first + len(keys),))
        return first

    def drop_texts(self, texts: Iterable[int]) -> None:
        """Remove texts with their ids and bodies."""
        self._connection.execute("CREATE TEMP TABLE gone (text INTEGER PRIMARY KEY)")
        self._connection.executemany("INSERT OR IGNORE INTO gone VALUES (?)", ((int(text),) for text in texts))
        for table in ("texts", "ids", "bodies"):
            self._connection.execute(f"DELETE FROM {table} WHERE text IN (SELECT text FROM gone)")
        self._connection.execute("DROP TABLE gone")

    def numbered_keys(self) -> tuple[TextIds, np.ndarray]:
        """All texts' numbers, ascending, and their keys `[texts, 16]`, by one pass over the table."""
        entries = self._ask("SELECT text, key FROM texts ORDER BY text")
        with self._readable():
            keys = np.frombuffer(b"".join(key for _, key in entries), np.uint8).reshape(len(entries), KEY_BYTES)
            return np.array([text for text, _ in entries], np.int64), keys

    def text_numbers(self) -> TextIds:
        """Every text's number, ascending."""
        entries = self._ask("SELECT text FROM texts")
        with self._readable():
            return np.sort(np.array([int(text) for (text,) in entries], np.int64))

    # what users call their texts

    def set_ids(self, pairs: Iterable[tuple[Any, int]]) -> None:
        """Let ids point to texts; an id that pointed elsewhere moves."""
        self._connection.executemany("INSERT OR REPLACE INTO ids VALUES (?, ?)", pairs)

    def texts_of_ids(self, ids: Sequence[Any]) -> dict[Any, int]:
        """Find texts by id; unknown ids are absent from the answer."""
        found: dict[Any, int] = {}
        for start in range(0, len(ids), _LOOKUP):
            page = ids[start : start + _LOOKUP]
            query = f"SELECT id, text FROM ids WHERE id IN ({','.join('?' * len(page))})"
            found.update(self._ask(query, page))
        return found

    def ids_between(self, first: int, last: int) -> list[tuple[int, Any]]:
        """The ids of texts first to last, as (text, id), in order of text, then id."""
        query = "SELECT text, id FROM ids WHERE text BETWEEN ? AND ? ORDER BY text, id"
        return self._ask(query, (first, last))

    def ids_are_whole_numbers(self) -> bool:
        """Whether every text has an id and all ids are integers, so that a column of them can be one of integers."""
        strings = self._number("SELECT EXISTS (SELECT 1 FROM ids WHERE typeof(id) <> 'integer')")
        nameless = self._number("SELECT EXISTS (SELECT 1 FROM texts WHERE text NOT IN (SELECT text FROM ids))")
        return not strings and not nameless

    def n_ids(self) -> int:
        """Count the ids."""
        return self._number("SELECT count(*) FROM ids")

    # texts themselves, where kept

    def keep_bodies(self, bodies: Iterable[tuple[int, bytes]]) -> None:
        """Keep the packed content of texts."""
        self._connection.executemany("INSERT OR REPLACE INTO bodies VALUES (?, ?)", bodies)

    def bodies(self, first: int = 0) -> Iterator[tuple[int, bytes]]:
        """Kept texts from number `first` on, in order of their numbers."""
        query = "SELECT text, body FROM bodies WHERE text >= ? ORDER BY text LIMIT ?"
        while page := self._ask(query, (first, _LOOKUP)):
            yield from page
            first = page[-1][0] + 1

    def bodies_of(self, texts: Sequence[int]) -> dict[int, bytes]:
        """The kept ones of these texts."""
        found: dict[int, bytes] = {}
        for start in range(0, len(texts), _LOOKUP):
            page = texts[start : start + _LOOKUP]
            marks = ", ".join("?" * len(page))
            found.update(self._ask(f"SELECT text, body FROM bodies WHERE text IN ({marks})", page))
        return found

    def body_counts(self) -> tuple[int, int]:
        """How many texts are kept, and their packed bytes."""
        query = "SELECT count(*), coalesce(sum(length(body)), 0) FROM bodies"
        count, size = self._ask(query)[0]
        return int(count), int(size)

    # encoders, columns, segments

    def setting(self, name: str) -> int | None:
        """A number that was set for the whole bank, or None."""
        found = self._ask("SELECT value FROM settings WHERE name = ?", (name,))
        return int(found[0][0]) if found and found[0][0] is not None else None

    def set_setting(self, name: str, value: int | None) -> None:
        """Set a number for the whole bank."""
        self._connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def encoders(self) -> dict[str, tuple[Reading, dict[str, Any]]]:
        """Each encoder's reading, and facts about it (where it came from, width, layers, compute)."""
        return dict(self._entries("SELECT name, reading, facts FROM encoders", encoder_of))

    def set_encoder(self, name: str, reading: Reading, facts: dict[str, Any]) -> None:
        """Enter an encoder, or renew the facts about it."""
        entry = (name, json.dumps(asdict(reading)), json.dumps(facts))
        self._connection.execute("INSERT OR REPLACE INTO encoders VALUES (?, ?, ?)", entry)

    def drop_encoder(self, name: str) -> None:
        """Remove an encoder that no column needs any more."""
        self._connection.execute("DELETE FROM encoders WHERE name = ?", (name,))

    def columns(self) -> dict[str, StoredColumn]:
        """All columns by name, in the order in which they came."""
        query = "SELECT number, name, recipe, width, dtype, cells, folder, calibration FROM columns ORDER BY number"
        return {column.name: column for column in self._entries(query, column_of)}

    def add_column(self, column: StoredColumn) -> None:
        """Enter a column; its number is given by the catalogue."""
        self._connection.execute(
            "INSERT INTO columns (name, fingerprint, recipe, width, dtype, cells, folder, calibration) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                column.name,
                column.recipe.fingerprint,
                json.dumps(column.recipe.fields()),
                column.width,
                column.dtype,
                column.cells,
                column.folder,
                json.dumps(asdict(column.calibration)) if column.calibration else None,
            ),
        )

    def drop_column(self, number: int) -> None:
        """Remove a column and its segments."""
        self._connection.execute("DELETE FROM segments WHERE column = ?", (number,))
        self._connection.execute("DELETE FROM columns WHERE number = ?", (number,))

    def segments(self, column: int | None = None) -> list[Segment]:
        """The segments of a column, or of all, in order of their first text."""
        fields = "SELECT number, column, first, last, rows, parts FROM segments"
        if column is None:
            return self._entries(f"{fields} ORDER BY column, first", segment_of)
        return self._entries(f"{fields} WHERE column = ? ORDER BY first", segment_of, (column,))

    def add_segment(self, segment: Segment) -> None:
        """Enter a segment whose files are already safe on disk."""
        self._connection.execute(
            "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?)",
            (
                segment.number,
                segment.column,
                segment.first,
                segment.last,
                segment.rows,
                json.dumps([asdict(part) for part in segment.parts]),
            ),
        )

    def drop_segments(self, numbers: Iterable[int]) -> None:
        """Remove segments."""
        self._connection.executemany("DELETE FROM segments WHERE number = ?", ((number,) for number in numbers))

    def next_segment(self) -> int:
        """The number that the next segment may have: higher than any that ever was."""
        found = self._ask("SELECT seq FROM sqlite_sequence WHERE name = 'segments'")
        return int(found[0][0]) + 1 if found else 1

    def next_folder(self) -> int:
        """A number for a new folder, never given twice; call it inside a transaction."""
        number = self._number("SELECT value FROM settings WHERE name = 'next_folder'")
        self._connection.execute("UPDATE settings SET value = ? WHERE name = 'next_folder'", (number + 1,))
        return number

    # tasks and faults

    def tasks(self) -> dict[str, StoredTask]:
        """All tasks by name."""
        tasks = self._entries("SELECT name, folder, record, parts FROM tasks ORDER BY name", task_of)
        return {task.name: task for task in tasks}

    def set_task(self, task: StoredTask) -> None:
        """Enter a task, or replace the one of that name."""
        parts = json.dumps([asdict(part) for part in task.parts])
        entry = (task.name, task.folder, json.dumps(task.record), parts)
        self._connection.execute("INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?)", entry)

    def drop_task(self, name: str) -> None:
        """Remove a task."""
        self._connection.execute("DELETE FROM tasks WHERE name = ?", (name,))

    def faults(self) -> list[tuple[str, int, Any, str]]:
        """Rows that could not be encoded: source, position, id, reason."""
        return self._ask("SELECT source, position, id, reason FROM faults ORDER BY source, position")

    def clear_faults(self, sources: Iterable[str]) -> None:
        """Forget the faults of sources that are about to be read again."""
        self._connection.executemany("DELETE FROM faults WHERE source = ?", ((source,) for source in sources))

    def add_faults(self, faults: Iterable[tuple[str, int, Any, str]]) -> None:
        """Record rows that could not be encoded."""
        self._connection.executemany("INSERT OR REPLACE INTO faults VALUES (?, ?, ?, ?)", faults)

    def damage(self) -> list[str]:
        """What is wrong with the file: what SQLite itself finds, and malformed entries; empty if nothing is."""
        try:
            found = [str(what) for (what,) in self._ask("PRAGMA integrity_check")]
            page = self._number("PRAGMA page_size")
            strange = self._number(
                f"SELECT count(*) FROM texts WHERE typeof(text) <> 'integer' OR length(key) <> {KEY_BYTES}"
            )
            size = self._path.stat().st_size
        except (DamageError, OSError) as fault:
            return [str(fault)]
        found += [f"{strange} malformed {'entry' if strange == 1 else 'entries'} in table 'texts'"] if strange else []
        found += ["its last page is cut short"] if size % page else []
        return [what for what in found if what != "ok"]

    def _number(self, query: str) -> int:
        with self._readable():
            return int(self._ask(query)[0][0])

    def _ask(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with translated(self._path):
            return self._connection.execute(query, values).fetchall()

    def _entries(self, query: str, entry: Callable[[Row], _Entry], values: Sequence[int] = ()) -> list[_Entry]:
        with translated(self._path):
            answer = self._connection.execute(query, values)
            names, found = [name for name, *_ in answer.description], answer.fetchall()
        with self._readable():
            return [entry(dict(zip(names, row, strict=True))) for row in found]

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as fault:
            raise DamageError(f"{self._path} is damaged: an entry is {fault!r}; run 'embank verify'") from fault
