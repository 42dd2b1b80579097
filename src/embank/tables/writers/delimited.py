"""CSV and TSV: lists as JSON strings, floats with six significant digits, None as an empty field."""

import json
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import csv

from embank.arrays import Cell
from embank.tables.contract import Values
from embank.tables.writers.arrays import as_array, same_names, six_digits


class DelimitedSink:
    """Writes delimited text; strings stand in quotes, so that an empty one differs from None."""

    def __init__(self, handle: BinaryIO, delimiter: str) -> None:
        self._handle = handle
        self._delimiter = delimiter
        self._names: list[str] | None = None

    def write(self, columns: Mapping[str, Values]) -> None:
        """Add one block of rows; the first brings the header."""
        first = self._names is None
        if self._names is None:
            self._names = list(columns)
        same_names(self._names, columns)
        arrays = {name: _printable(name, values) for name, values in columns.items()}
        if len(arrays) == 1:
            arrays = {name: _visible(array) for name, array in arrays.items()}
        table = pa.table(arrays)
        options = csv.WriteOptions(include_header=first, delimiter=self._delimiter)
        csv.write_csv(table, pa.PythonFile(self._handle, mode="w"), write_options=options)

    def close(self) -> None:
        """Nothing follows the last row."""

    def abandon(self) -> None:
        """Nothing is held."""


def _printable(name: str, values: Values) -> pa.Array | pa.ChunkedArray:
    array = as_array(name, values)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_floating(array.type):
        return _rounded(array)
    if pa.types.is_nested(array.type):
        return pa.array([_json(value) for value in array.to_pylist()], pa.string())
    return array


def _visible(array: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Keep the rows of a sole column apart from blank lines, which readers skip: None becomes an empty string."""
    return array.cast(pa.string()).fill_null("") if array.null_count else array


def _rounded(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    missing = np.asarray(array.is_null())
    return pa.array(six_digits(array.to_numpy(zero_copy_only=False)), mask=missing)


def _json(value: Cell) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)
