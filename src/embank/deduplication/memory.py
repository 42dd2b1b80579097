"""What a bank remembers of a deduplication, so that the next one compares new texts only: one file, whole or absent.

It says which column it was made on, by number and fingerprint, and which texts it covers; what does not fit the bank
any more is not used. It can be deleted at any time.
"""

from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from embank.arrays import TextIds
from embank.store import StoredColumn
from embank.store.files import storage_errors, write_durably

_FOLDER: Final = "duplicates"
_DIGEST_BYTES: Final = 32


def remembered(root: Path, column: StoredColumn, kind: str) -> tuple[TextIds, TextIds] | None:
    """Texts that were grouped before in this way and the representative of each; None where nothing fits."""
    try:
        arrays = load(_place(root, column, kind).read_bytes())
        texts, representatives, stamp = arrays["texts"], arrays["representatives"], arrays["stamp"]
    except (OSError, SafetensorError, KeyError):
        return None
    if stamp.tobytes() != _stamp(texts, representatives).tobytes():
        return None
    return texts, representatives


def remember(root: Path, column: StoredColumn, kind: str, grouped: tuple[TextIds, TextIds]) -> None:
    """Keep texts and their representatives; `kind` says at which threshold and in which way they were found.

    Raises:
        StorageFullError: no space is left; what was remembered before is kept.
    """
    texts, representatives = grouped
    place = _place(root, column, kind)
    with storage_errors(str(place)):
        place.parent.mkdir(exist_ok=True)
    stamp = _stamp(texts, representatives)
    write_durably(place, save({"texts": texts, "representatives": representatives, "stamp": stamp}))


def _place(root: Path, column: StoredColumn, kind: str) -> Path:
    # The number too: a column that was dropped and given again may hold other vectors under the same recipe.
    return root / _FOLDER / f"{column.recipe.fingerprint}-{column.number}-{kind}.safetensors"


def _stamp(texts: TextIds, representatives: TextIds) -> np.ndarray:
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for array in (texts, representatives):
        digest.update(np.ascontiguousarray(array).tobytes())
    return np.frombuffer(digest.digest(), np.uint8)
