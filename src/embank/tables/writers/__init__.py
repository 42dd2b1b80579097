"""The formats that can be written, by the extension of the file."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from embank.errors import UsageError
from embank.tables.contract import Sink
from embank.tables.writers.delimited import csv_sink, tsv_sink
from embank.tables.writers.jsonlines import JsonLinesSink
from embank.tables.writers.parquet import ParquetSink

_SINKS: dict[str, Callable[[BinaryIO], Sink]] = {
    ".parquet": ParquetSink,
    ".csv": csv_sink,
    ".tsv": tsv_sink,
    ".jsonl": JsonLinesSink,
}


def sink_of(path: Path) -> Callable[[BinaryIO], Sink]:
    """Choose the format by the extension.

    Raises:
        UsageError: no format has this extension; the message lists those there are.
    """
    try:
        return _SINKS[path.suffix.lower()]
    except KeyError:
        found = f"the extension {path.suffix!r}" if path.suffix else "no extension"
        raise UsageError(f"{path} has {found}; predictions are written as {', '.join(_SINKS)}") from None
