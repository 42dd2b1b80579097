"""Arrow columns to plain Python values, row faults included."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from embank.tables.contract import Block
from embank.tables.labelnames import Names, named
from embank.tables.plain import INVALID

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
