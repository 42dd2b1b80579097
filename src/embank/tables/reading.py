"""Reading: every source is looked at first, then all are streamed in the order they were named."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from embank.errors import UsageError
from embank.tables.contract import Block, Table
from embank.tables.sources import tables_of
from embank.tables.streams import STANDARD_INPUT


def check(sources: Sequence[str | Path], columns: Sequence[str], *, as_format: str | None = None) -> None:
    """Look whether all sources are there, open, and have the columns, so that a run does not fail at the third.

    Standard input is not looked at: that would consume it.

    Raises:
        InputError: a source is missing, empty or broken, or lacks a column.
        UsageError: nothing was asked for, or there is no such format.
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
        columns: The columns to read; plain text has one, under whatever name is asked for.
        block_rows: The most rows a block has; it has fewer at the end of a source, and where rows are very long.
        as_format: One of `known_formats()`, for files whose extension does not tell, and for standard input.

    Raises:
        InputError: a source is missing, empty or broken, or lacks a column.
        UsageError: nothing was asked for, or there is no such format.
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
