"""The tables behind what a user names: a file, a folder, or standard input."""

from pathlib import Path

from embank.errors import InputError
from embank.tables.arrowfiles import ArrowTable, open_arrow, open_parquet
from embank.tables.contract import Table
from embank.tables.delimited import DelimitedTable
from embank.tables.formats import format_of, known_format
from embank.tables.jsonlines import JsonLinesTable
from embank.tables.plain import PlainTable
from embank.tables.saveddatasets import saved_tables
from embank.tables.standardinput import GuessedInput
from embank.tables.streams import STANDARD_INPUT, Stream

_DELIMITERS = {"csv": (None, True), "tsv": ("\t", True), "tsv-unquoted": ("\t", False)}
"""The delimiter, and whether fields may be quoted. Many TSV files of research hold quotes that are part of the text."""


def tables_of(source: str | Path, as_format: str | None) -> list[Table]:
    """Find the tables of one source; nothing is opened but what tells a folder's kind.

    Args:
        source: A file, a folder, or "-".
        as_format: The format of files and of standard input, in the place of their extension.

    Raises:
        InputError: there is nothing, or nothing that is a table.
        UsageError: there is no such format.
    """
    name = str(source)
    if as_format is not None:
        known_format(as_format)
    if name == STANDARD_INPUT:
        return [_standard_input(as_format)]
    path = Path(source)
    if path.is_dir():
        return _folder(name, path)
    if not path.exists():
        raise InputError(f"there is no file or folder {name}; looked from {Path.cwd()}")
    return [_file(name, path, as_format or format_of(path))]


def _standard_input(as_format: str | None) -> Table:
    if as_format in _DELIMITERS:
        return DelimitedTable(Stream(STANDARD_INPUT, None), *_DELIMITERS[as_format])
    if as_format in {"parquet", "arrow"}:
        raise InputError(
            f"{as_format} cannot be read from standard input, since it is not read front to back; name the file"
        )
    return GuessedInput(as_format)


def _file(name: str, path: Path, kind: str | None) -> Table:
    stream = Stream(name, path)
    if kind in _DELIMITERS:
        return DelimitedTable(stream, *_DELIMITERS[kind])
    if kind == "jsonl":
        return JsonLinesTable(stream)
    if kind == "parquet":
        return ArrowTable(name, (path,), open_parquet)
    if kind == "arrow":
        return ArrowTable(name, (path,), open_arrow)
    if kind is None and path.suffix.lower() == ".json":
        return JsonLinesTable(stream)
    return PlainTable(stream, suspect=kind is None)


def _folder(name: str, folder: Path) -> list[Table]:
    saved = saved_tables(name, folder)
    if saved is not None:
        return list(saved)
    # Text files are left out: in a folder of tables they are notes and licences.
    kinds = {path: format_of(path) for path in sorted(folder.iterdir()) if path.is_file()}
    tables = [
        _file(f"{name.rstrip('/')}/{path.name}", path, kind)
        for path, kind in kinds.items()
        if kind not in {None, "text"} and not path.name.startswith((".", "_"))
    ]
    if not tables:
        raise InputError(
            f"{name} has no table in it; expected .parquet, .csv, .tsv or .jsonl files, or a saved dataset "
            "(files of plain text have to be named one by one)"
        )
    return tables
