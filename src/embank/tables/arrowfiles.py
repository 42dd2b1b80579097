"""Parquet and Arrow files: typed columns, of which only the requested ones are read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from embank.errors import InputError
from embank.tables.contract import Block, require_columns
from embank.tables.labelnames import Names, named, names_in_schema
from embank.tables.plain import INVALID
from embank.tables.streams import explained
from embank.tables.stretches import arrow_stretches, rows_at_once

_FILE_MAGIC = b"ARROW1"
_BUFFER = 1 << 20

#: Opens a file and gives its schema, and a function from column names and a number of rows to its batches.
_Batches = Callable[[Sequence[str], int], Iterator[pa.RecordBatch]]
_Opener = Callable[[Path], AbstractContextManager[tuple[pa.Schema, _Batches]]]


@dataclass(frozen=True)
class ArrowTable:
    """One or several Parquet or Arrow files that are one source.

    Attributes:
        name: The source as messages and blocks call it.
        paths: Its files in order.
        opener: How one of them is opened.
        names: Names of class labels that are not in the files themselves.
    """

    name: str
    paths: tuple[Path, ...]
    opener: _Opener
    names: Mapping[str, Names] = field(default_factory=dict)

    def require(self, columns: Sequence[str]) -> None:
        """Look at the schema of every file."""
        for path in self.paths:
            with explained(self.name), self.opener(path) as (schema, _):
                _require(self.name, columns, schema)

    def blocks(self, columns: Sequence[str], block_rows: int) -> Iterator[Block]:
        """Yield the rows of all files, one after the other."""
        start = 0
        for path in self.paths:
            with explained(self.name), self.opener(path) as (schema, batches):
                _require(self.name, columns, schema)
                names = {**names_in_schema(schema), **self.names}
                for table in arrow_stretches(batches(columns, block_rows), block_rows):
                    yield arrow_block(self.name, start, table, columns, names)
                    start += table.num_rows


@contextmanager
def open_parquet(path: Path) -> Iterator[tuple[pa.Schema, _Batches]]:
    """Open a Parquet file; its pages are streamed, so that a large row group is not held at once."""
    _refuse_empty(path)
    with pq.ParquetFile(path, buffer_size=_BUFFER) as file:

        def batches(columns: Sequence[str], block_rows: int) -> Iterator[pa.RecordBatch]:
            groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
            widest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1.0)
            rows = rows_at_once(widest, block_rows)
            # A prefix such as "a" also selects "a.b", hence the selection by exact name.
            for batch in file.iter_batches(batch_size=rows, columns=list(columns)):
                yield batch.select(list(columns))

        yield file.schema_arrow, batches


@contextmanager
def open_arrow(path: Path) -> Iterator[tuple[pa.Schema, _Batches]]:
    """Open an Arrow IPC stream (what `datasets` saves) or an Arrow IPC file."""
    _refuse_empty(path)
    # Read rather than mapped: mapped pages count as this process's memory, which then seems to grow with the file.
    with pa.OSFile(str(path)) as source:
        if source.read(len(_FILE_MAGIC)) == _FILE_MAGIC:
            reader = pa.ipc.open_file(source)
            arrived = (reader.get_batch(i) for i in range(reader.num_record_batches))
        else:
            source.seek(0)
            arrived = reader = pa.ipc.open_stream(source)

        def batches(columns: Sequence[str], block_rows: int) -> Iterator[pa.RecordBatch]:
            for batch in arrived:
                rows = rows_at_once(batch.nbytes / max(batch.num_rows, 1), block_rows)
                for at in range(0, batch.num_rows, rows):
                    yield batch.slice(at, rows).select(list(columns))

        yield reader.schema, batches


def _refuse_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; it should be a Parquet or Arrow file")


def _require(name: str, columns: Sequence[str], schema: pa.Schema) -> None:
    require_columns(name, columns, schema.names)
    twice = [column for column in columns if schema.names.count(column) > 1]
    if twice:
        raise InputError(f"{name} has the same column twice: {', '.join(twice)}; rename one")


_VIEW = pa.binary_view()


def arrow_block(name: str, start: int, table: pa.Table, columns: Sequence[str], names: Mapping[str, Names]) -> Block:
    """Turn one stretch of an Arrow table into a block; class labels come through as their names."""
    faults: dict[int, str] = {}
    values: dict[str, list[Any]] = {}
    for column in columns:
        values[column] = _values(table.column(column), faults)
        if column in names:
            values[column] = named(values[column], column, names[column], faults)
    for cells in values.values():
        for offset in faults:
            cells[offset] = None
    return Block(name, start, values, dict(sorted(faults.items())))


def _values(column: pa.ChunkedArray, faults: dict[int, str]) -> list[Any]:
    plain = _plain(column)
    try:
        values: list[Any] = plain.to_pylist()
    except UnicodeDecodeError:
        values = [_value(scalar, offset, faults) for offset, scalar in enumerate(plain)]
    return values


def _value(scalar: pa.Scalar, offset: int, faults: dict[int, str]) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        faults[offset] = INVALID
        return None


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    target = _plain_type(column.type)
    if target == column.type:
        return column
    # Bytes that are no UTF-8 are found when they become a str, row by row: the cast must not stop at them.
    return pc.cast(column, options=pc.CastOptions(target, allow_invalid_utf8=True, allow_decimal_truncate=True))


def _plain_type(given: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_dictionary(given):
        return _plain_type(given.value_type)
    if types.is_binary(given) or types.is_large_binary(given) or types.is_fixed_size_binary(given) or given == _VIEW:
        return pa.large_string()
    if types.is_decimal(given):
        return pa.float64()
    if types.is_list(given) or types.is_large_list(given):
        return pa.large_list(_plain_type(given.value_type))
    return given
