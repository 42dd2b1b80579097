"""What a user names (files, folders, standard input) as tables: all are checked first, then streamed in order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from embank.errors import InputError, UsageError
from embank.tables.arrowfiles import ArrowTable, open_arrow, open_parquet
from embank.tables.contract import Block, Table, require_columns
from embank.tables.delimited import DelimitedTable
from embank.tables.formats import format_of, known_format
from embank.tables.jsonlines import JsonLinesTable, streamed_blocks
from embank.tables.plain import COLUMN, PlainTable, line_blocks
from embank.tables.saveddatasets import saved_tables
from embank.tables.streams import STANDARD_INPUT, Stream


def check(sources: Sequence[str | Path], columns: Sequence[str], *, as_format: str | None = None) -> None:
    """Check that all sources exist, open and have the columns, so that a run does not fail at the third.

    Standard input is not looked at: that would consume it.

    Raises:
        InputError: a source is missing, empty or broken, or lacks a column.
        UsageError: no source or no column is named, or an unknown format.
    """
    _checked(sources, columns, as_format)


def read(
    sources: Sequence[str | Path],
    columns: Sequence[str],
    *,
    block_rows: int = 8192,
    as_format: str | None = None,
) -> Iterator[Block]:
    """Stream the rows of all sources, after looking at all of them; memory does not grow with their length.

    Args:
        sources: Files, folders, or "-" for standard input.
        columns: The columns to read; plain text has one, under any name.
        block_rows: The most rows a block has; it has fewer at the end of a source, and where rows are very long.
        as_format: One of `known_formats()`, for files whose extension does not tell, and for standard input.

    Raises:
        InputError: a source is missing, empty or broken, or lacks a column.
        UsageError: no source or no column is named, or an unknown format.
    """
    if block_rows < 1:
        raise UsageError(f"a block cannot have {block_rows} rows; it needs one at least")
    tables = _checked(sources, columns, as_format)
    return _blocks(tables, columns, block_rows)


def _blocks(tables: list[Table], columns: Sequence[str], block_rows: int) -> Iterator[Block]:
    # Apart from `read`, which therefore looks at the sources when it is called and not at the first block.
    for table in tables:
        yield from table.blocks(columns, block_rows)


def _checked(sources: Sequence[str | Path], columns: Sequence[str], as_format: str | None) -> list[Table]:
    if not sources:
        raise UsageError("there is no source to read; name a file, a folder, or - for standard input")
    if not columns:
        raise UsageError("there is no column to read; name one at least")
    if [str(source) for source in sources].count(STANDARD_INPUT) > 1:
        raise UsageError("standard input (-) is named twice; it can be read once only")
    tables = [table for source in sources for table in tables_of(source, as_format)]
    for table in tables:
        table.require(columns)
    return tables


_DELIMITERS = {"csv": (None, True), "tsv": ("\t", True), "tsv-unquoted": ("\t", False)}
"""The delimiter, and whether fields may be quoted. Many TSV files of research hold quotes that are part of the text."""


def tables_of(source: str | Path, as_format: str | None) -> list[Table]:
    """Find the tables of one source; nothing is opened but what tells a folder's kind.

    Args:
        source: A file, a folder, or "-".
        as_format: The format of files and of standard input, in the place of their extension.

    Raises:
        InputError: the source does not exist, or holds no table.
        UsageError: an unknown format.
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


@dataclass(frozen=True)
class GuessedInput:
    """Lines from standard input, whose first byte that is not blank tells the format.

    Attributes:
        format: "jsonl" or "text" where the user named it; None guesses.
    """

    format: str | None = None
    name: str = STANDARD_INPUT

    def require(self, columns: Sequence[str]) -> None:
        """Nothing can be looked at without being consumed: `blocks` checks before its first block."""

    def blocks(self, columns: Sequence[str], block_rows: int) -> Iterator[Block]:
        """Yield the lines as blocks, none before `block_rows` lines have come or the input ends."""
        with Stream(self.name, None).opened() as handle:
            head = _through_first_line(handle)
            lines = chain(head, handle)
            if self.format == "jsonl" or (self.format is None and head[-1].lstrip().startswith(b"{")):
                yield from streamed_blocks(self.name, lines, columns, block_rows)
                return
            if len(columns) > 1:
                require_columns(self.name, columns, [COLUMN])
            yield from line_blocks(self.name, lines, columns[0], block_rows)


def _through_first_line(handle: Iterable[bytes]) -> list[bytes]:
    head = []
    for line in handle:
        head.append(line)
        if line.strip():
            break
    return head
