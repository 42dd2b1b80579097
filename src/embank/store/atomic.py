"""Durable files: written beside their place, synced, renamed, and the folder synced, before anyone is told of them."""

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import numpy as np

from embank.errors import DamageError, StorageFullError

_PENDING = ".pending"
_CHUNK = 1 << 20


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


def write_durably(path: Path, content: bytes | memoryview, *more: bytes | memoryview) -> tuple[int, str]:
    """Write a file so that it is whole or absent, whatever happens.

    Returns:
        Bytes written, and their BLAKE2b-128 in hexadecimal.

    Raises:
        StorageFullError: no space is left; nothing of the file remains.
    """
    pending = path.with_name(path.name + _PENDING)
    digest = blake2b(digest_size=16)
    size = 0
    with storage_errors(path.name):
        try:
            with pending.open("wb") as file:
                for piece in (content, *more):
                    file.write(piece)
                    digest.update(piece)
                    size += memoryview(piece).nbytes
                file.flush()
                os.fsync(file.fileno())
            pending.replace(path)
            sync_folder(path.parent)
        except OSError:
            pending.unlink(missing_ok=True)
            raise
    return size, digest.hexdigest()


def write_array(path: Path, array: np.ndarray) -> tuple[int, str]:
    """Write an array as a plain `.npy` file, durably; returns its size and digest."""
    header = io.BytesIO()
    packed = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(packed))
    return write_durably(path, header.getvalue(), memoryview(packed.reshape(-1).view(np.uint8).data))


def map_array(path: Path) -> np.ndarray:
    """Map a `.npy` file into memory, read-only.

    Raises:
        FileNotFoundError: it is not there.
        DamageError: it is no whole `.npy` file.
    """
    try:
        mapped: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except Exception as fault:  # numpy reads a header with Python's own tokenizer, which raises what it likes
        message = f"{path} cannot be read ({fault}); run 'embank verify' to see all the damage"
        raise DamageError(message) from fault
    return mapped


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_of(path: Path) -> str:
    """Hash a file with BLAKE2b-128, in pieces."""
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
