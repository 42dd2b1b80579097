"""Lengths of a column's decoded vectors: measured once and stored, so that a search need not decode.

One file per segment, named by the digests of the segment's rows and of the codec's calibration. Its content follows
from its name, so it is never out of date; after the segment was rewritten, it is stale. If the bank cannot be written,
every search measures the lengths again.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32

from embank.arrays import Rows
from embank.atomic import npy_pieces, whole_file
from embank.codecs import Codec
from embank.errors import DamageError
from embank.linalg.cosine import lengths
from embank.store import LENGTHS, Segment, StoredColumn
from embank.store.files import map_array
from embank.store.folder import Store
from embank.store.segments import ColumnReader
from embank.store.vectors import codec_of

_BLOCK: Final = 4096
"""Rows decoded at a time."""

_ROUNDING: Final = 1e-4
"""By how much, as a fraction, lengths that another machine measured may differ."""

Lengths = Float32[np.ndarray, " texts"]


class ColumnLengths:
    """Lengths of the vectors of one column."""

    def __init__(self, reader: ColumnReader, codec: Codec) -> None:
        """Read or measure lengths of the rows of `reader`, which `codec` decodes."""
        self._root, self._column, self._codec = reader.root, reader.column, codec

    def of(self, segment: Segment, rows: Rows) -> Lengths:
        """Lengths of a segment's vectors, in the order of its rows."""
        place = place_of(self._root, self._column, segment)
        kept = _kept(place, segment)
        if kept is not None:
            return kept
        found = measured(self._codec, rows)
        _keep(place, found)
        return found


def measured(codec: Codec, rows: Rows) -> Lengths:
    """Lengths of the decoded vectors of rows."""
    found = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _BLOCK):
        part = slice(start, start + _BLOCK)
        found[part] = lengths(codec.decode(rows[part]))
    return found


def place_of(root: Path, column: StoredColumn, segment: Segment) -> Path:
    """Where the lengths of a segment's vectors are stored."""
    calibration = column.recipe.calibration or column.recipe.codec
    return root / LENGTHS / f"{segment.part('rows').digest}-{calibration}.npy"


def fault_of(store: Store, column: StoredColumn, segment: Segment) -> str | None:
    """What is wrong with the stored lengths of a segment; None if they are those of its rows."""
    place = place_of(store.root, column, segment)
    try:
        rows = store.reader(column.name).rows_of(segment)
        codec = codec_of(store, column)
    except (DamageError, OSError):
        return None  # verify() reports the damaged rows themselves
    kept = _kept(place, segment)
    if kept is None or not np.allclose(kept, measured(codec, rows), rtol=_ROUNDING, atol=0):
        return "these are not the lengths of the segment's vectors; delete the file: they are measured again"
    return None


def _kept(place: Path, segment: Segment) -> Lengths | None:
    try:
        found = map_array(place)
    except (FileNotFoundError, DamageError):
        return None
    return np.asarray(found) if found.shape == (segment.rows,) and found.dtype == np.float32 else None


def _keep(place: Path, found: Lengths) -> None:
    with suppress(OSError):  # measured again by the next search
        place.parent.mkdir(exist_ok=True)
        with whole_file(place) as partial:
            partial.write_bytes(b"".join(npy_pieces(found)))
