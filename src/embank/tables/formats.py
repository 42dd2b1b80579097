"""Which file name means which format, and about how many rows a file has."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from embank.errors import UsageError

_EXTENSIONS = {
    "csv": (".csv",),
    "tsv": (".tsv",),
    "tsv-unquoted": (),
    "jsonl": (".jsonl", ".ndjson"),
    "parquet": (".parquet", ".pq"),
    "arrow": (".arrow",),
    "text": (".txt",),
}
#: Formats of which a gzipped file (`reviews.csv.gz`) can be read as well.
_GZIPPED = ("csv", "tsv", "jsonl", "text")
_BY_EXTENSION = {extension: name for name, extensions in _EXTENSIONS.items() for extension in extensions}


def known_formats() -> tuple[str, ...]:
    """Name the formats that can be read, as messages and `--format` call them.

    >>> known_formats()
    ('csv', 'tsv', 'tsv-unquoted', 'jsonl', 'parquet', 'arrow', 'text')
    """
    return tuple(_EXTENSIONS)


def known_format(name: str) -> str:
    """Return the name of a known format.

    Raises:
        UsageError: an unknown format; the message lists the known ones.
    """
    if name not in _EXTENSIONS:
        raise UsageError(f"unknown format {name!r}; the formats are: {', '.join(_EXTENSIONS)}")
    return name


def format_of(path: Path) -> str | None:
    """Tell the format from the extension, or None where the extension says nothing.

    >>> format_of(Path("reviews.CSV.gz")), format_of(Path("reviews.dat"))
    ('csv', None)
    """
    if path.suffix.lower() != ".gz":
        return _BY_EXTENSION.get(path.suffix.lower())
    inner = _BY_EXTENSION.get(path.with_suffix("").suffix.lower())
    return inner if inner in _GZIPPED else None


_CHUNK = 1 << 22
_MOST = 8 << 30


def estimated_rows(files: Sequence[Path]) -> int | None:
    """Count rows without reading them as rows.

    Returns:
        A number that is close (quoted line breaks are counted as rows), or None if it would take too long or cannot
        be known: standard input, compressed files, more than 8 GB of lines.
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
