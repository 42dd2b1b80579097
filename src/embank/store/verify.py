"""Verification: every digest, every row reachable, all damage listed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embank.arrays import TextIds
from embank.errors import DamageError
from embank.store import Damage, Part, Segment, StoredColumn, StoredTask
from embank.store.cache import auxiliary_damage
from embank.store.catalogue import Catalogue
from embank.store.files import digest_of, map_array
from embank.store.folder import Store
from embank.store.segments import ColumnReader
from embank.store.states import StatesReader

Progress = Callable[[int], None]
"""A progress callback; it gets the bytes of each file that was checked."""


@dataclass(kw_only=True, frozen=True)
class _Listing:
    """What the catalogue said at one instant."""

    texts: TextIds
    next_text: int
    columns: list[StoredColumn]
    segments: dict[int, list[Segment]]
    tasks: list[StoredTask]

    @classmethod
    def of(cls, catalogue: Catalogue) -> "_Listing":
        with catalogue.snapshot():
            columns = list(catalogue.columns().values())
            return cls(
                texts=catalogue.text_numbers(),
                next_text=catalogue.next_text(),
                columns=columns,
                segments={column.number: catalogue.segments(column.number) for column in columns},
                tasks=list(catalogue.tasks().values()),
            )

    def files(self) -> set[str]:
        parts = [part for of in self.segments.values() for segment in of for part in segment.parts]
        parts += [column.calibration for column in self.columns if column.calibration]
        parts += [part for task in self.tasks for part in task.parts]
        return {part.file for part in parts}


def verify(store: Store, progress: Progress = lambda _: None) -> list[Damage]:
    """Read the whole bank once, and list what is not as the catalogue says; empty where all is well.

    A writer may be at work: what it rewrites meanwhile counts as no damage.
    """
    catalogue = store.catalogue
    found = [Damage("catalogue", "catalogue.sqlite", what) for what in catalogue.damage()]
    if found:
        return found  # a broken catalogue says nothing reliable about the rest
    try:
        listing = _Listing.of(catalogue)
        found += _numbers(listing)
        broken = list(_files(store.root, listing, progress))
        if broken:
            still = _Listing.of(catalogue).files()
            found += [damage for damage in broken if damage.where in still]
    except DamageError as damage:
        return [Damage("catalogue", "catalogue.sqlite", str(damage))]
    for column in listing.columns:
        found += _rows(store.root, column, listing, {damage.where for damage in broken})
    return [*found, *auxiliary_damage(store, {damage.where for damage in broken})]


def _files(root: Path, listing: _Listing, progress: Progress) -> Iterator[Damage]:
    for column in listing.columns:
        if column.calibration:
            yield from _file(root, column.calibration, progress)
        for segment in listing.segments[column.number]:
            for part in segment.parts:
                yield from _file(root, part, progress)
    for task in listing.tasks:
        for part in task.parts:
            yield from _file(root, part, progress)


def _file(root: Path, part: Part, progress: Progress) -> Iterator[Damage]:
    path = root / part.file
    try:
        size = path.stat().st_size
        if size != part.size:
            yield Damage("truncated", part.file, f"{size} bytes on disk, {part.size} when it was written")
            return
        digest = digest_of(path)
        progress(size)
        if digest != part.digest:
            what = f"its bytes have changed: digest {digest}, {part.digest} when it was written"
            yield Damage("digest", part.file, what)
            return
        if path.suffix == ".npy":
            map_array(path)
    except FileNotFoundError:
        yield Damage("missing", part.file, f"the catalogue lists {part.size} bytes; there is no such file")
    except (DamageError, OSError) as damage:
        yield Damage("unreadable", part.file, str(damage))


def _rows(root: Path, column: StoredColumn, listing: _Listing, broken: set[str]) -> Iterator[Damage]:
    segments = [
        segment for segment in listing.segments[column.number] if not any(part.file in broken for part in segment.parts)
    ]
    reader = ColumnReader(root, column, lambda: segments)
    seen = [np.empty(0, np.int64)]
    for segment in segments:
        try:
            reader.rows_of(segment)
            if column.is_ragged:
                StatesReader(reader).offsets_of(segment)
            seen.append(reader.texts_of(segment))
        except DamageError as damage:
            yield Damage("unreadable", segment.part("rows").file, str(damage))
        except FileNotFoundError:
            continue  # it was there, with the right digest: a writer has rewritten it since
    rows = np.concatenate(seen)
    distinct = np.unique(rows)
    if len(distinct) < len(rows):
        yield Damage("unreachable", column.name, f"{len(rows) - len(distinct)} texts have more than one row")
    orphans = np.setdiff1d(distinct, listing.texts, assume_unique=True)
    if len(orphans):
        yield Damage(
            "unreachable", column.name, f"{len(orphans)} rows belong to no text, the first to text {orphans[0]}"
        )


def _numbers(listing: _Listing) -> Iterator[Damage]:
    numbers = listing.texts
    if len(np.unique(numbers)) < len(numbers):
        yield Damage("catalogue", "texts", "two texts have the same number")
    if len(numbers) and int(numbers[-1]) >= listing.next_text:
        yield Damage("catalogue", "texts", f"text {numbers[-1]} has a number that was not given out yet")
