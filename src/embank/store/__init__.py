"""The bank on disk, as the rest of the code sees it: columns made of immutable segments, and what can be damaged.

A bank is a folder. `embank.json` says which format version it has; `catalogue.sqlite` says which text is in which row;
`columns/` holds the rows as plain `.npy` files, `tasks/` the heads. A segment's rows are in ascending order of the
bank's own text numbers; where those are not consecutive, a second file beside the rows lists them. In a column of
states a text has a block of rows; one more file says where each block begins.
"""

from dataclasses import dataclass
from typing import Any, Final

from embank.recipe import STATES, Recipe

FORMAT_VERSION = 2
"""Version of the folder's layout. A newer one is refused, an older one is migrated."""

GRAPHS: Final = "index"
GROUPS: Final = "duplicates"
LENGTHS: Final = "lengths"
AUXILIARY: Final = (GRAPHS, GROUPS, LENGTHS)
"""Folders of files that are made again when they are needed."""


@dataclass(frozen=True)
class Part:
    """One file of a segment: `rows`, `texts` where the text numbers are not consecutive, `offsets` of a ragged column.

    Attributes:
        name: what it holds.
        file: path below the bank.
        size: bytes on disk.
        digest: hexadecimal BLAKE2b-128 of the file.
    """

    name: str
    file: str
    size: int
    digest: str


@dataclass(kw_only=True, frozen=True)
class Segment:
    """A run of rows of one column, written once.

    Attributes:
        number: never used again, also after the segment is gone.
        column: number of the column.
        first: lowest text number.
        last: highest text number.
        rows: how many rows; last - first + 1 where the numbers are consecutive.
        parts: its files.
    """

    number: int
    column: int
    first: int
    last: int
    rows: int
    parts: tuple[Part, ...]

    @property
    def consecutive(self) -> bool:
        """Whether the row of text t is simply t - first."""
        return self.rows == self.last - self.first + 1

    def part(self, name: str) -> Part:
        """Return the part of that name."""
        return next(part for part in self.parts if part.name == name)


@dataclass(kw_only=True, frozen=True)
class StoredColumn:
    """A column, as the catalogue has it.

    Attributes:
        number: the column's number in this bank.
        name: as written by the user, `minilm/4/mean@int8`.
        recipe: what decides its bytes.
        width: dimensions of its vectors.
        dtype: numpy name of the stored dtype.
        cells: stored numbers per row.
        folder: path below the bank.
        calibration: the file of what its codec learned, or None.
    """

    number: int
    name: str
    recipe: Recipe
    width: int
    dtype: str
    cells: int
    folder: str
    calibration: Part | None

    @property
    def is_ragged(self) -> bool:
        """Whether a text has a block of rows (its states) instead of one row."""
        return self.recipe.pooling == STATES


@dataclass(frozen=True)
class StoredTask:
    """A task, as the catalogue has it: its folder and what `fit` recorded."""

    name: str
    folder: str
    record: dict[str, Any]
    parts: tuple[Part, ...]

    @property
    def states(self) -> str | None:
        """The column of states that a tail starts from; None for a head."""
        column: str | None = self.record.get("states")
        return column


@dataclass(frozen=True)
class Damage:
    """Something that verification found.

    Attributes:
        kind: `missing`, `truncated`, `digest`, `unreadable`, `unreachable` or `catalogue`.
        where: the file, or the column and text.
        what: one sentence.
    """

    kind: str
    where: str
    what: str

    @property
    def can_be_made_again(self) -> bool:
        """Whether the file is made again when it is needed: a graph, groups, or lengths of vectors."""
        return self.where.partition("/")[0] in AUXILIARY
