"""Files of a bank: arrays as plain `.npy` files, written whole, mapped, and hashed."""

from hashlib import blake2b, file_digest
from pathlib import Path

import numpy as np

from embank.atomic import npy_pieces, write_durably
from embank.errors import DamageError


def write_array(path: Path, array: np.ndarray) -> tuple[int, str]:
    """Write an array as a plain `.npy` file, durably; returns its size and digest."""
    return write_durably(path, *npy_pieces(array))


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


def digest_of(path: Path) -> str:
    """Hash a file with BLAKE2b-128, in pieces."""
    with path.open("rb") as file:
        return file_digest(file, lambda: blake2b(digest_size=16)).hexdigest()
