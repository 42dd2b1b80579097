"""Writing: a file gets its name only when it is whole."""

import errno
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, final

import pyarrow as pa

from embank.atomic import whole_file
from embank.errors import InputError, StorageFullError, UsageError
from embank.tables.contract import Sink, Values
from embank.tables.streams import STANDARD_INPUT as STANDARD_OUTPUT
from embank.tables.writers.delimited import DelimitedSink
from embank.tables.writers.jsonlines import JsonLinesSink
from embank.tables.writers.parquet import ParquetSink

_FULL = (errno.ENOSPC, errno.EDQUOT)

_SINKS: dict[str, Callable[[BinaryIO], Sink]] = {
    ".parquet": ParquetSink,
    ".csv": partial(DelimitedSink, delimiter=","),
    ".tsv": partial(DelimitedSink, delimiter="\t"),
    ".jsonl": JsonLinesSink,
}
"""What writes a file, by its extension."""


def open_writer(path: str | Path) -> "TableWriter":
    """Prepare to write a table, in the format of the extension; "-" is JSON lines on standard output.

    Nothing is created before the `with` statement is entered.

    Raises:
        UsageError: the extension is unknown, the folder does not exist, or the path is a folder.
    """
    if str(path) == STANDARD_OUTPUT:
        return TableWriter(None)
    path = Path(path)
    _sink_of(path)
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise UsageError(
            f"there is no folder {path.parent} to write {path.name} in; make it first: mkdir -p {path.parent}"
        )
    return TableWriter(path)


@final
class TableWriter:
    """A table being written, block after block; a context manager.

    The bytes go to a hidden file beside the named one. It is synced and renamed at a clean end, and
    removed upon any exception: a file with a good name is never half a file.

    Attributes:
        rows: How many rows have been written.
    """

    def __init__(self, path: Path | None) -> None:
        self.rows = 0
        self._path = path
        # Behind a link, the file it points to is written, not the link replaced.
        self._target = path.resolve() if path else None
        self._whole = ExitStack()
        self._handle: BinaryIO | None = None
        self._sink: Sink | None = None

    def write(self, columns: Mapping[str, Values]) -> None:
        """Add one block of rows.

        Args:
            columns: Name -> values, all of one length; the same names in the same order in every block.

        Raises:
            UsageError: lengths or names do not fit, or the writer is not open.
            InputError: the format cannot hold these values.
            StorageFullError: the disk is full.
        """
        if self._sink is None:
            raise UsageError("the writer is not open; use it as: with open_writer(path) as writer")
        lengths = {len(values) for values in columns.values()}
        if len(lengths) != 1:
            raise UsageError(f"the columns of a block should have one length; found {sorted(lengths) or 'no column'}")
        with _explained(self._path):
            self._sink.write(columns)
        self.rows += lengths.pop()

    def __enter__(self) -> Self:
        """Open the hidden file."""
        if self._target is None or self._path is None:
            self._sink = JsonLinesSink(sys.stdout.buffer)
            return self
        with _explained(self._path):
            self._handle = self._whole.enter_context(whole_file(self._target)).open("wb")
        self._sink = _sink_of(self._path)(self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the file its name, or remove it."""
        if kind is None:
            with _explained(self._path), self._whole:
                try:
                    self._finish()
                finally:
                    self._let_go()
        else:
            self._let_go()
            self._whole.__exit__(kind, failure, trace)

    def _finish(self) -> None:
        if self._sink is not None:
            self._sink.close()
        if self._handle is None:
            sys.stdout.buffer.flush()
        else:
            self._handle.close()

    def _let_go(self) -> None:
        if self._sink is not None:
            self._sink.abandon()
        if self._handle is not None:
            with suppress(OSError):  # what is still buffered has no place on a full disk
                self._handle.close()
        self._sink = self._handle = None


@contextmanager
def _explained(path: Path | None) -> Iterator[None]:
    name = path or "standard output"
    try:
        yield
    except BrokenPipeError:  # the reader of a pipe has seen enough: for the command line to end quietly
        raise
    except pa.ArrowException as misfit:
        raise InputError(f"{name} cannot hold this block: {' '.join(str(misfit).split())}") from misfit
    except OSError as failure:
        if failure.errno in _FULL:
            raise StorageFullError(
                f"no space is left for {name}; nothing was written, free some and run again"
            ) from failure
        raise UsageError(f"{name} cannot be written: {failure.strerror or failure}") from failure


def _sink_of(path: Path) -> Callable[[BinaryIO], Sink]:
    """Choose the format by the extension.

    Raises:
        UsageError: an unknown extension; the message lists the known ones.
    """
    try:
        return _SINKS[path.suffix.lower()]
    except KeyError:
        found = f"the extension {path.suffix!r}" if path.suffix else "no extension"
        raise UsageError(f"{path} has {found}; predictions are written as {', '.join(_SINKS)}") from None
