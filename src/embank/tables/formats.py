"""Which file name means which format."""

from pathlib import Path

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
    """Return the name of a format if there is one.

    Raises:
        UsageError: there is no such format; the message lists them.
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
