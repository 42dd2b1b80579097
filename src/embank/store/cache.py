"""What a bank keeps that can be made again from its rows: graphs, groups of near duplicates, lengths of vectors.

The catalogue knows nothing of it: it may be deleted at any time, and readers look for themselves whether a file still
fits. Here it is counted, checked and swept.

```
index/       <fingerprint>-<column>.safetensors          texts, graph; digest
duplicates/  <fingerprint>-<column>-<way>.safetensors    texts, representatives; digest
lengths/     <digest of rows>-<calibration>.npy          one number for each row of a segment
```

The column's number is in the name beside its fingerprint: a column that was dropped and given again may hold other
vectors under the same recipe.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save

from embank.atomic import storage_errors, write_durably
from embank.store import AUXILIARY, LENGTHS, Damage, StoredColumn
from embank.store.folder import Store
from embank.store.norms import fault_of, place_of

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Auxiliary:
    """A file that can be made again.

    Attributes:
        file: below the bank.
        size: bytes.
        column: the name of the column that it was made from; "" if that was dropped.
        state: "current"; "behind": the column has more texts, and it is extended before it is next used; "stale": it
            is of no use any more.
    """

    file: str
    size: int
    column: str
    state: str

    @property
    def folder(self) -> str:
        """The folder that it lies in, below the bank."""
        return self.file.partition("/")[0]


def auxiliary_place(root: Path, folder: str, column: StoredColumn, way: str = "") -> Path:
    """Where a graph or groups of a column are kept."""
    return root / folder / f"{column.recipe.fingerprint}-{column.number}{way and f'-{way}'}.safetensors"


def read_auxiliary(place: Path, names: tuple[str, ...]) -> Arrays | None:
    """The arrays of these names; None if the file is absent, damaged or another one."""
    arrays = _checked(place)
    return None if arrays is None or sorted(arrays) != sorted(names) else arrays


def write_auxiliary(place: Path, arrays: Arrays) -> None:
    """Keep arrays, whole or not at all; the numbers of the texts that they are about go by the name "texts".

    Raises:
        StorageFullError: no space is left; what was there before is kept.
    """
    with storage_errors(str(place)):
        place.parent.mkdir(exist_ok=True)
    packed = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_durably(place, save({**packed, "digest": np.frombuffer(_digest(packed), np.uint8)}))


def auxiliary_files(store: Store) -> list[Auxiliary]:
    """Every file that can be made again, and whether it is current."""
    columns = {f"{column.recipe.fingerprint}-{column.number}": column for column in store.catalogue.columns().values()}
    measured = {
        place_of(store.root, column, segment).name: column.name
        for column in columns.values()
        for segment in store.catalogue.segments(column.number)
    }
    found = []
    for folder, path in _files(store.root):
        if folder == LENGTHS:
            name = measured.get(path.name, "")
            state = "current" if name else "stale"
        else:
            column = columns.get("-".join(path.name.partition(".")[0].split("-")[:2]))
            if column and path.suffix != ".safetensors":
                continue  # it is being written, or was when a process was killed; the next one writes over it
            name = column.name if column else ""
            state = _state(store, path, name) if name else "stale"
        with suppress(FileNotFoundError):  # another process may have renamed or swept it
            found.append(Auxiliary(f"{folder}/{path.name}", path.stat().st_size, name, state))
    return found


def sweep(store: Store) -> int:
    """Delete what is stale; returns bytes."""
    gone = 0
    for one in auxiliary_files(store):
        if one.state == "stale":
            (store.root / one.file).unlink(missing_ok=True)
            gone += one.size
    return gone


def auxiliary_damage(store: Store, broken: set[str]) -> Iterator[Damage]:
    """Files that are not what was written: a digest that does not fit, or lengths that are not those of the rows.

    Args:
        store: the bank.
        broken: files of rows and calibrations that are damaged themselves; nothing is compared with those.
    """
    current = {one.file for one in auxiliary_files(store) if one.state != "stale" or one.column}
    for folder, path in _files(store.root):
        where = f"{folder}/{path.name}"
        if folder != LENGTHS and where in current and _checked(path) is None:
            yield Damage("digest", where, "its bytes have changed since it was written; it is made again when needed")
    for column in store.catalogue.columns().values():
        if column.calibration and column.calibration.file in broken:
            continue
        for segment in store.catalogue.segments(column.number):
            place = place_of(store.root, column, segment)
            known = place.is_file() and segment.part("rows").file not in broken
            fault = fault_of(store, column, segment) if known else None
            if fault:
                yield Damage("digest", f"{LENGTHS}/{place.name}", fault)


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    for folder in AUXILIARY:
        for path in sorted((root / folder).glob("*")):
            if path.is_file():
                yield folder, path


def _state(store: Store, path: Path, name: str) -> str:
    """The state of a graph or groups of a column."""
    try:
        with safe_open(path, framework="numpy") as opened:
            texts: Any = opened.get_tensor("texts")
    except (OSError, SafetensorError):
        return "stale"
    covered = store.reader(name).covered()
    if not np.isin(texts, covered, assume_unique=True).all():
        return "stale"
    return "current" if len(texts) == len(covered) else "behind"


def _checked(path: Path) -> Arrays | None:
    """The arrays of a file, or None if it is absent, or its bytes are not what was written."""
    try:
        arrays: Arrays = load(path.read_bytes())
    except (OSError, SafetensorError):
        return None
    digest = arrays.pop("digest", None)
    return arrays if digest is not None and digest.tobytes() == _digest(arrays) else None


def _digest(arrays: Arrays) -> bytes:
    state = blake2b(digest_size=16)
    for name in sorted(arrays):
        state.update(f"{name}|{arrays[name].dtype.str}|{arrays[name].shape}|".encode())
        state.update(np.ascontiguousarray(arrays[name]).data)
    return state.digest()
