"""CSV and TSV: a header line, then fields between delimiters, quoted if necessary."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from embank.errors import InputError
from embank.tables.contract import Block, require_columns
from embank.tables.plain import INVALID
from embank.tables.streams import Stream
from embank.tables.stretches import stretches, total_length

UNCLOSED = "a quote that is never closed (if quotes belong to the text of a TSV file: --format tsv-unquoted)"
OVERLONG = "a field of more than 128 MiB (a quote that is never closed?)"

_LONGEST_FIELD = 1 << 27
#: A row that could be cut into fields is a list; one that could not is a tuple with the reason.
_Record = list[str] | tuple[str]


@dataclass(frozen=True)
class DelimitedTable:
    """A CSV or TSV file in UTF-8, with a header; fields stay strings, and an empty field is the empty string.

    Blank lines are no rows. Quoted fields may hold delimiters, line ends and doubled quotes.

    Attributes:
        stream: Where the bytes come from.
        delimiter: What stands between fields; None is a comma, or a semicolon where the header has no comma.
        quoted: Whether a field may stand in quotes; where not, a quote is a character like any other.
    """

    stream: Stream
    delimiter: str | None = None
    quoted: bool = True

    @property
    def name(self) -> str:
        """The source as messages and blocks call it."""
        return self.stream.name

    def require(self, columns: Sequence[str]) -> None:
        """Look at the header, but not at that of standard input, which can be read once only."""
        if self.stream.path is None:
            return
        with self._opened() as (header, _):
            require_columns(self.name, columns, header)

    def blocks(self, columns: Sequence[str], block_rows: int) -> Iterator[Block]:
        """Yield the rows; a row with another number of fields than the header is a fault."""
        with self._opened() as (header, records):
            require_columns(self.name, columns, header)
            places = {column: header.index(column) for column in columns}
            start = 0
            for stretch in stretches(records, block_rows, _weigh):
                yield _block(self.name, start, stretch, places, len(header))
                start += len(stretch)

    @contextmanager
    def _opened(self) -> Iterator[tuple[list[str], Iterator[_Record]]]:
        # The limit is the csv module's own, for the whole process; it is only ever raised.
        csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
        with self.stream.opened() as handle:
            text = io.TextIOWrapper(handle, encoding="utf-8", errors="surrogateescape", newline="")
            try:
                first = next(filter(str.strip, text), "")
                delimiter = self.delimiter or _sniffed(first)
                records = _records(
                    chain([first], text), delimiter, csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
                )
                yield self._header(next(records, [])), records
            finally:
                text.detach()  # or it would close standard input

    def _header(self, record: _Record) -> list[str]:
        if isinstance(record, tuple):
            raise InputError(f"{self.name} has no readable header: {record[0]}")
        if not any(record):
            raise InputError(f"{self.name} is empty; it should begin with a header that names the columns")
        if _broken(record):
            raise InputError(f"{self.name} is not UTF-8; convert it first: iconv -f LATIN1 -t UTF-8")
        # Trailing commas make several columns without a name: nobody can request them, so they do no harm.
        twice = [name for name, count in Counter(filter(None, record)).items() if count > 1]
        if twice:
            raise InputError(f"{self.name} has a header with the same name twice: {', '.join(twice)}; rename one")
        return record


def _sniffed(header: str) -> str:
    return ";" if ";" in header and "," not in header else ","


def _records(lines: Iterator[str], delimiter: str, quoting: Literal[0, 3]) -> Iterator[_Record]:
    ended: list[bool] = []

    def end() -> Iterator[str]:
        ended.append(True)
        yield from ()

    reader = csv.reader(chain(lines, end()), delimiter=delimiter, quoting=quoting)
    while True:
        try:
            for record in filter(None, reader):
                # The reader only asks for a line after the last one when a quote is still open.
                yield (UNCLOSED,) if ended else record
        except csv.Error:
            yield (OVERLONG,)
        else:
            return


def _weigh(lot: list[_Record]) -> int:
    return total_length(list(chain.from_iterable(lot)))


def _block(name: str, start: int, records: list[_Record], places: dict[str, int], width: int) -> Block:
    faults: dict[int, str] = {}
    rows = [
        record if len(record) == width and isinstance(record, list) else _faulty(record, offset, faults, width)
        for offset, record in enumerate(records)
    ]
    columns: dict[str, list[str | None]] = {name: [row[place] for row in rows] for name, place in places.items()}
    for values in columns.values():
        if _broken(values):
            faults |= {
                offset: INVALID for offset, value in enumerate(values) if offset not in faults and _broken([value])
            }
    for values in columns.values():
        for offset in faults:
            values[offset] = None
    return Block(name, start, columns, dict(sorted(faults.items())))


def _faulty(record: _Record, offset: int, faults: dict[int, str], width: int) -> list[str]:
    if isinstance(record, tuple):
        faults[offset] = record[0]
    else:
        found = len(record)
        faults[offset] = f"{found} field{'s' * (found != 1)} where {width} {'were' if width != 1 else 'was'} expected"
    return [""] * width


def _broken(values: Sequence[str | None]) -> bool:
    """Say whether bytes that are no UTF-8 were escaped into these strings."""
    try:
        "".join(value for value in values if value).encode()
    except UnicodeEncodeError:
        return True
    return False
