"""About how many rows there are to come, for a progress display: exact for Parquet, by line for text, else unknown."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from embank.tables.formats import format_of

_CHUNK = 1 << 22
_MOST = 8 << 30


def estimated_rows(files: Sequence[Path]) -> int | None:
    """Count rows without reading them as rows.

    Returns:
        A number that is close (quoted line breaks are counted as rows), or None where it would take too long or nobody
        can know: standard input, compressed files, more than 8 GB of lines.
    """
    total = 0
    for path in files:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in inside:
            rows = _rows(file) if file.is_file() else 0
            if rows is None:
                return None
            total += rows
        if not path.exists():
            return None
    return total


def _rows(file: Path) -> int | None:
    kind = format_of(file)
    try:
        if kind == "parquet":
            return int(pq.ParquetFile(file).metadata.num_rows)
    except (OSError, pa.ArrowException):
        return None
    if kind not in ("csv", "tsv", "jsonl", "text") or file.suffix == ".gz" or file.stat().st_size > _MOST:
        return None
    lines = 0
    with file.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            lines += piece.count(b"\n")
    return lines - 1 if kind in ("csv", "tsv") else lines
