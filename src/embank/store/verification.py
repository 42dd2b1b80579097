"""Verification: every digest, every row reachable, all damage listed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from embank.errors import DamageError
from embank.store import Damage, Part
from embank.store.files import digest_of, map_array
from embank.store.folder import Store

Progress = Callable[[int], None]
"""Told the bytes of each file that was checked."""


def verify(store: Store, progress: Progress = lambda _: None) -> list[Damage]:
    """Read the whole bank once, and list what is not as the catalogue says; empty where all is well."""
    catalogue = store.catalogue
    found = [Damage("catalogue", "catalogue.sqlite", what) for what in catalogue.damage()]
    if found:
        return found  # a broken catalogue says nothing reliable about the rest
    texts = catalogue.text_numbers()
    found += _numbers(store)
    for column in catalogue.columns().values():
        if column.calibration:
            found += _file(store.root, column.calibration, progress)
        seen: list[np.ndarray] = []
        for segment in catalogue.segments(column.number):
            broken = [damage for part in segment.parts for damage in _file(store.root, part, progress)]
            found += broken
            if broken:
                continue
            reader = store.reader(column.name)
            try:
                reader.rows_of(segment)
                seen.append(reader.texts_of(segment))
            except DamageError as damage:
                found.append(Damage("unreadable", segment.part("rows").file, str(damage)))
        found += _rows(column.name, seen, texts)
    for task in catalogue.tasks().values():
        for part in task.parts:
            found += _file(store.root, part, progress)
    return found


def _file(root: Path, part: Part, progress: Progress) -> Iterator[Damage]:
    path = root / part.file
    if not path.is_file():
        yield Damage("missing", part.file, f"the catalogue lists {part.size} bytes; there is no such file")
        return
    size = path.stat().st_size
    if size != part.size:
        yield Damage("truncated", part.file, f"{size} bytes on disk, {part.size} when it was written")
        return
    digest = digest_of(path)
    progress(size)
    if digest != part.digest:
        yield Damage("digest", part.file, f"its bytes have changed: digest {digest}, {part.digest} when it was written")
        return
    if path.suffix == ".npy":
        try:
            map_array(path)
        except DamageError as damage:
            yield Damage("unreadable", part.file, str(damage))


def _rows(column: str, seen: list[np.ndarray], texts: np.ndarray) -> Iterator[Damage]:
    if not seen:
        return
    rows = np.concatenate(seen)
    distinct = np.unique(rows)
    if len(distinct) < len(rows):
        yield Damage("unreachable", column, f"{len(rows) - len(distinct)} texts have more than one row")
    orphans = np.setdiff1d(distinct, texts, assume_unique=True)
    if len(orphans):
        yield Damage("unreachable", column, f"{len(orphans)} rows belong to no text, the first to text {orphans[0]}")


def _numbers(store: Store) -> Iterator[Damage]:
    numbers = store.catalogue.text_numbers()
    if len(np.unique(numbers)) < len(numbers):
        yield Damage("catalogue", "texts", "two texts have the same number")
    if len(numbers) and int(numbers[-1]) >= store.catalogue.next_text():
        yield Damage("catalogue", "texts", f"text {numbers[-1]} has a number that was not given out yet")
