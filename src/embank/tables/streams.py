"""The bytes of one source: a file, a gzipped file or standard input, opened in one place."""

import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import GzipFile
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from embank.errors import InputError

STANDARD_INPUT = "-"
_BUFFER = 1 << 20
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Stream:
    """Where the bytes of a source come from.

    Attributes:
        name: The source as the user named it.
        path: The file; None is standard input, which can be opened once only.
    """

    name: str
    path: Path | None

    @contextmanager
    def opened(self) -> Iterator[io.BufferedReader]:
        """Open the source behind its byte order mark, if it has one.

        Raises:
            InputError: it cannot be read, is empty, or is UTF-16.
        """
        with explained(self.name), _raw(self.path) as raw:
            head = raw.peek(3)[:3]
            if not head:
                raise InputError(f"{self.name} is empty; it should hold at least one line")
            if head.startswith(_UTF16_MARKS):
                raise InputError(f"{self.name} is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8")
            if head == _UTF8_MARK:
                raw.read(len(_UTF8_MARK))
            yield raw


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what can go wrong with a file into one line that names the file.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, zlib.error) as failure:
        reason = getattr(failure, "strerror", None) or str(failure)
        file = getattr(failure, "filename", None)
        if file and str(file) != name:  # one file of a folder
            reason += f": {file}"
        line = " ".join(reason.split()) or type(failure).__name__
        raise InputError(f"{name} cannot be read: {line}") from failure


@contextmanager
def _raw(path: Path | None) -> Iterator[io.BufferedReader]:
    if path is None:
        # Standard input is not ours to close: the reader lets go of it, also where it had to be made here.
        given = sys.stdin.buffer
        reader = given if isinstance(given, io.BufferedReader) else _buffered(given)
        yield reader
        if reader is not given:
            reader.detach()
        return
    with _buffered(io.FileIO(path)) as handle:
        if path.suffix.lower() != ".gz":
            yield handle
            return
        with GzipFile(fileobj=handle) as plain, _buffered(plain) as reader:
            yield reader


def _buffered(raw: io.FileIO | GzipFile | BinaryIO) -> io.BufferedReader:
    # A GzipFile gets one too: its own lines are slow. That readinto() is all it takes, typeshed does not say.
    return io.BufferedReader(raw, _BUFFER)  # type: ignore[arg-type]
