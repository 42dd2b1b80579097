"""Files and folders that are whole or absent: written under another name, synced, renamed, and their folder synced.

The one way in which Embank writes a file that it, or a user, will read again.
"""

import errno
import io
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from threading import get_ident

import numpy as np

from embank.errors import StorageFullError


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Translate a full disk into StorageFullError, naming what could not be written."""
    try:
        yield
    except OSError as fault:
        if fault.errno in (errno.ENOSPC, errno.EDQUOT):
            message = (
                f"no space left while writing {what}; what was committed before is kept: free some space, run again"
            )
            raise StorageFullError(message) from fault
        raise


@contextmanager
def whole_file(path: Path, pending: Path | None = None) -> Iterator[Path]:
    """A file to write that takes the name `path` at a clean end, and is removed upon any exception.

    Args:
        path: the file; one of that name is replaced.
        pending: a name in the same folder to write under, where only one process writes at a time; None: a hidden name
            that no other process or thread uses.
    """
    pending = pending or path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}.partial")
    try:
        yield pending
        put_in_place(pending, path)
    except BaseException:
        with suppress(OSError):
            pending.unlink(missing_ok=True)
        raise


def put_in_place(pending: Path, path: Path) -> None:
    """Give a file that was written under another name in the same folder its own, durably."""
    with pending.open("rb") as file:
        os.fsync(file.fileno())
    pending.replace(path)
    sync_folder(path.parent)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that takes the name `path` when all in it is written and synced, and not before.

    What an earlier run left unfinished is removed first. `path` must not exist; the caller makes the folder itself.
    """
    begun = path.with_name(f"{path.name}.part")
    shutil.rmtree(begun, ignore_errors=True)
    yield begun
    for inner in (*begun.rglob("*"), begun):
        if inner.is_dir():
            sync_folder(inner)
        else:
            with inner.open("rb") as file:
                os.fsync(file.fileno())
    begun.rename(path)
    sync_folder(path.parent)


def write_durably(path: Path, content: bytes | memoryview, *more: bytes | memoryview) -> tuple[int, str]:
    """Write a file of a bank, whose one writer this is, so that it is whole or absent, whatever happens.

    Returns:
        Bytes written, and their BLAKE2b-128 in hexadecimal.

    Raises:
        StorageFullError: no space is left; nothing of the file remains.
    """
    with storage_errors(path.name), whole_file(path, path.with_name(f"{path.name}.pending")) as pending:
        return _write(pending, (content, *more))


def _write(path: Path, pieces: Sequence[bytes | memoryview]) -> tuple[int, str]:
    digest = blake2b(digest_size=16)
    size = 0
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            size += memoryview(piece).nbytes
    return size, digest.hexdigest()


def npy_pieces(array: np.ndarray) -> tuple[bytes, memoryview]:
    """The header and the bytes of an array, as a plain `.npy` file has them."""
    header = io.BytesIO()
    packed = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(packed))
    return header.getvalue(), memoryview(packed.reshape(-1).view(np.uint8).data)


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
