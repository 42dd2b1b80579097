"""Parquet, zstd-compressed, in row groups that do not depend on the size of the blocks."""

from collections.abc import Mapping
from contextlib import suppress
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from embank.errors import InputError
from embank.tables.contract import Values
from embank.tables.writers.arrays import as_array, same_names

#: Blocks are gathered until they are this many rows or bytes: small row groups make large files that read slowly.
_GROUP_ROWS = 1 << 17
_GROUP_BYTES = 1 << 27
_LEVEL = 1


class ParquetSink:
    """Writes Parquet; the first block fixes names and types of the columns."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._writer: pq.ParquetWriter | None = None
        self._schema: pa.Schema | None = None
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self._bytes = 0

    def write(self, columns: Mapping[str, Values]) -> None:
        """Add one block of rows."""
        arrays = {name: as_array(name, values) for name, values in columns.items()}
        if self._schema is None:
            self._schema = pa.schema([(name, _written_type(array.type)) for name, array in arrays.items()])
        same_names(self._schema.names, arrays)
        fitted = [_fitted(name, array, self._schema.field(name).type) for name, array in arrays.items()]
        table = pa.table(fitted, schema=self._schema)
        self._waiting.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what waits, and the footer."""
        self._flush()
        self._open().close()

    def abandon(self) -> None:
        """Close the writer, whatever that brings: it would otherwise try again when it is collected."""
        if self._writer is not None:
            with suppress(OSError, ValueError, pa.ArrowException):
                self._writer.close()
            self._writer.is_open = False

    def _open(self) -> pq.ParquetWriter:
        if self._writer is None:
            schema = pa.schema([]) if self._schema is None else self._schema
            worded = [field.name for field in schema if pa.types.is_dictionary(field.type) or _is_text(field.type)]
            # Without the Arrow schema inside, every reader sees labels as the plain strings they are.
            self._writer = pq.ParquetWriter(
                self._handle,
                schema,
                compression="zstd",
                compression_level=_LEVEL,
                use_dictionary=worded,
                store_schema=False,
            )
        return self._writer

    def _flush(self) -> None:
        if self._waiting:
            table = pa.concat_tables(self._waiting).unify_dictionaries()
            self._waiting, self._rows, self._bytes = [], 0, 0
            self._open().write_table(table, row_group_size=_GROUP_ROWS * 2)


def _is_text(given: pa.DataType) -> bool:
    return bool(pa.types.is_string(given) or pa.types.is_large_string(given))


def _written_type(given: pa.DataType) -> pa.DataType:
    if pa.types.is_null(given):
        return pa.string()  # a first block that is all None says nothing else
    if pa.types.is_dictionary(given):
        return pa.dictionary(pa.int32(), given.value_type)
    return given


def _fitted(name: str, array: pa.Array | pa.ChunkedArray, wanted: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if array.type == wanted:
        return array
    try:
        if pa.types.is_dictionary(array.type) and not pa.types.is_dictionary(wanted):
            array = array.cast(array.type.value_type)
        elif pa.types.is_dictionary(wanted) and not pa.types.is_dictionary(array.type):
            return array.cast(wanted.value_type).dictionary_encode()
        return array.cast(wanted)
    except pa.ArrowException as misfit:
        raise InputError(
            f"column {name!r} holds {array.type} here and held {wanted} in the first block; "
            "write .jsonl, which takes any type"
        ) from misfit
