"""The one writer of a bank: it holds the lock, writes files first and commits them in the catalogue after."""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from embank.arrays import Ragged, Rows, TextIds
from embank.atomic import storage_errors, sync_folder, write_durably
from embank.errors import BankLockedError, UsageError
from embank.store import Part, Segment, StoredColumn, StoredTask
from embank.store.catalogue import Catalogue
from embank.store.files import write_array
from embank.store.segments import ColumnReader

_LOCK = "lock"


@dataclass(kw_only=True)
class Addition:
    """The rows of one commit: rows for new texts, or for texts that the bank knows, never both.

    Attributes:
        keys: keys of new texts, in the order of the rows; empty if `known` is given.
        known: ascending numbers of texts that the bank has.
        rows: stored rows by column name, one per text, or one block per text.
        ids: (offset of the text, what the user calls it).
        bodies: packed content by offset, if the user keeps texts.
    """

    keys: Sequence[bytes] = ()
    known: TextIds | None = None
    rows: Mapping[str, Rows | Ragged] = field(default_factory=dict)
    ids: Iterable[tuple[int, Any]] = ()
    bodies: Iterable[tuple[int, bytes]] = ()


@contextmanager
def writer_lock(root: Path) -> Iterator[None]:
    """Hold the bank for writing.

    The lock is the operating system's: a writer that is killed leaves none behind.

    Raises:
        BankLockedError: another writer holds it; the message says which process.
    """
    lock = FileLock(root / _LOCK)
    holder = root / "lock.holder"
    try:
        with storage_errors(_LOCK):
            lock.acquire(timeout=0)
    except Timeout as held:
        who = ""
        with contextlib.suppress(OSError):  # it may just be letting go
            who = holder.read_text().strip()
        who = who or "another process"
        message = f"{root} is being written by {who}: wait until it is done, or stop it (readers are never blocked)"
        raise BankLockedError(message) from held
    try:
        with storage_errors(holder.name):
            holder.write_text(f"process {os.getpid()}\n")
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


class Writer:
    """Additions and removals; made by `Store.writer`, which holds the lock."""

    def __init__(self, root: Path, catalogue: Catalogue) -> None:
        """Write to the bank at `root`, and clear away what an interrupted writer left."""
        self._root = root
        self.catalogue = catalogue
        self._sweep()

    def add_column(self, column: StoredColumn, calibration: bytes) -> StoredColumn:
        """Enter a column, its codec's calibration first (empty where the codec learns nothing).

        Raises:
            UsageError: the bank has a column of that name, or the same rows under another name.
        """
        for known in self.catalogue.columns().values():
            if column.name == known.name or column.recipe.fingerprint == known.recipe.fingerprint:
                raise UsageError(f"{column.name} cannot be added: the bank has these rows as {known.name}; use that")
        folder = self._root / "columns" / column.recipe.fingerprint
        with storage_errors(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
        part = None
        if calibration:
            file = folder / "calibration.safetensors"
            part = Part("calibration", str(file.relative_to(self._root)), *write_durably(file, calibration))
        entered = StoredColumn(
            number=0,
            name=column.name,
            recipe=column.recipe,
            width=column.width,
            dtype=column.dtype,
            cells=column.cells,
            folder=str(folder.relative_to(self._root)),
            calibration=part,
        )
        with self.catalogue.transaction():
            self.catalogue.add_column(entered)
        return self.catalogue.columns()[column.name]

    def append(self, addition: Addition) -> TextIds:
        """Write the rows, then commit texts, rows, ids and bodies together; returns the text numbers.

        Raises:
            UsageError: one of the new texts is in the bank, or one of the known ones has such a row already.
        """
        catalogue = self.catalogue
        columns = catalogue.columns()
        if addition.known is None:
            # Only this writer numbers texts, so the next number is known before the commit that takes it.
            first = catalogue.next_text()
            texts = np.arange(first, first + len(addition.keys), dtype=np.int64)
        else:
            texts = addition.known
            self._refuse_second_rows([columns[name] for name in addition.rows], texts)
        number = catalogue.next_segment()
        segments = [
            self.write_segment(number + offset, columns[name], texts, rows)
            for offset, (name, rows) in enumerate(addition.rows.items())
            if len(rows)
        ]
        with catalogue.transaction():
            if addition.known is None:
                catalogue.add_texts(addition.keys)
            for segment in segments:
                catalogue.add_segment(segment)
            catalogue.set_ids((name, int(texts[offset])) for offset, name in addition.ids)
            catalogue.keep_bodies((int(texts[offset]), body) for offset, body in addition.bodies)
        return texts

    def write_segment(self, number: int, column: StoredColumn, texts: TextIds, rows: Rows | Ragged) -> Segment:
        """Write the files of a segment; the caller commits it."""
        first, last = int(texts[0]), int(texts[-1])
        stem = f"{column.folder}/{number:09d}"
        plain = rows.rows if isinstance(rows, Ragged) else rows
        parts = [Part("rows", f"{stem}.npy", *write_array(self._root / f"{stem}.npy", plain))]
        if isinstance(rows, Ragged):
            begins = np.concatenate([[0], rows.ends])
            packed = begins.astype(np.uint32 if begins[-1] < 1 << 32 else np.int64)
            parts.append(
                Part("offsets", f"{stem}.offsets.npy", *write_array(self._root / f"{stem}.offsets.npy", packed))
            )
        if last - first + 1 != len(texts):
            offsets = texts - first
            packed = offsets.astype(np.uint32 if last - first < 1 << 32 else np.int64)
            parts.append(Part("texts", f"{stem}.texts.npy", *write_array(self._root / f"{stem}.texts.npy", packed)))
        return Segment(number=number, column=column.number, first=first, last=last, rows=len(texts), parts=tuple(parts))

    def set_task(self, name: str, record: dict[str, Any], files: Mapping[str, bytes]) -> StoredTask:
        """Write a task's files into a folder of its own, then commit it; an older task of that name goes."""
        with self.catalogue.transaction():
            number = self.catalogue.next_folder()
        folder = self._root / "tasks" / f"{name}-{number}"
        with storage_errors(str(folder)):
            folder.mkdir(parents=True)
            sync_folder(folder.parent)
        parts = tuple(
            Part(file, str((folder / file).relative_to(self._root)), *write_durably(folder / file, content))
            for file, content in files.items()
        )
        task = StoredTask(name, str(folder.relative_to(self._root)), record, parts)
        old = self.catalogue.tasks().get(name)
        with self.catalogue.transaction():
            self.catalogue.set_task(task)
        if old:
            shutil.rmtree(self._root / old.folder, ignore_errors=True)
        return task

    def drop_task(self, name: str) -> None:
        """Commit the removal of a task, then delete its files."""
        task = self.catalogue.tasks()[name]
        with self.catalogue.transaction():
            self.catalogue.drop_task(name)
        shutil.rmtree(self._root / task.folder, ignore_errors=True)
        (self._root / "training" / f"{name}.safetensors").unlink(missing_ok=True)  # of a training that was cut short

    def drop_column(self, name: str) -> None:
        """Commit the removal of a column, then delete its files."""
        column = self.catalogue.columns()[name]
        with self.catalogue.transaction():
            self.catalogue.drop_column(column.number)
        shutil.rmtree(self._root / column.folder, ignore_errors=True)

    def replace_segments(self, old: Sequence[Segment], new: Sequence[Segment], gone: Sequence[int] = ()) -> None:
        """Commit new segments in the place of old ones, and the removal of texts, then delete the old files."""
        with self.catalogue.transaction():
            self.catalogue.drop_segments(segment.number for segment in old)
            for segment in new:
                self.catalogue.add_segment(segment)
            if gone:
                self.catalogue.drop_texts(gone)
        for segment in old:
            for part in segment.parts:
                (self._root / part.file).unlink(missing_ok=True)

    def _refuse_second_rows(self, columns: Sequence[StoredColumn], texts: TextIds) -> None:
        for column in columns:
            listing = partial(self.catalogue.segments, column.number)
            taken = ColumnReader(self._root, column, listing).has(texts)
            if taken.any():
                raise UsageError(f"{taken.sum()} texts have a row in {column.name}, the first is {texts[taken][0]}")

    def _sweep(self) -> None:
        """Delete files that the catalogue does not know: an interrupted writer left them."""
        catalogue = self.catalogue
        columns = catalogue.columns().values()
        tasks = catalogue.tasks().values()
        known = {part.file for segment in catalogue.segments() for part in segment.parts}
        known |= {column.calibration.file for column in columns if column.calibration}
        known |= {part.file for task in tasks for part in task.parts}
        folders = {column.folder for column in columns} | {task.folder for task in tasks}
        for place in ("columns", "tasks"):
            # who copied the bank may have left an empty folder out
            for folder in sorted(path for path in (self._root / place).glob("*") if path.is_dir()):
                if str(folder.relative_to(self._root)) not in folders:
                    shutil.rmtree(folder, ignore_errors=True)
                    continue
                for file in folder.iterdir():
                    if str(file.relative_to(self._root)) not in known and not file.is_dir():
                        file.unlink(missing_ok=True)
