"""JSON lines: one object per line, whose keys are the columns."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from embank.errors import InputError
from embank.tables.contract import Block, require_columns
from embank.tables.plain import INVALID
from embank.tables.streams import Stream
from embank.tables.stretches import stretches, total_length

MALFORMED = "malformed JSON"
NOT_AN_OBJECT = "not a JSON object"

_LOT = 64
_LOOKED_AT = 10_000

_decode = json.JSONDecoder().decode


@dataclass(frozen=True)
class JsonLinesTable:
    """A file of JSON lines; a key that one object lacks is None there, blank lines are no rows."""

    stream: Stream

    @property
    def name(self) -> str:
        """The source as messages and blocks call it."""
        return self.stream.name

    def require(self, columns: Sequence[str]) -> None:
        """Read on until every column has been seen in some row: nearly always that is the first.

        A file that lacks a column is read to its end, since nothing else can tell a rare key from an absent one.
        """
        seen: dict[str, None] = {}
        with self.stream.opened() as handle:
            for lines in _stretches(islice(handle, _LOOKED_AT), _LOT):
                seen |= _keys(lines)
                if seen.keys() >= set(columns):
                    return
            for line in _candidates(handle, [column for column in columns if column not in seen]):
                seen |= _keys([line])
                if seen.keys() >= set(columns):
                    return
        _require(self.name, columns, seen)

    def blocks(self, columns: Sequence[str], block_rows: int) -> Iterator[Block]:
        """Yield the rows; a key is looked up in the whole object, whatever the order of keys."""
        with self.stream.opened() as handle:
            yield from object_blocks(self.name, handle, columns, block_rows)


def object_blocks(name: str, lines: Iterable[bytes], columns: Sequence[str], block_rows: int) -> Iterator[Block]:
    """Yield lines of JSON as blocks."""
    start = 0
    for stretch in _stretches(lines, block_rows):
        yield _block(name, start, stretch, columns)
        start += len(stretch)


def streamed_blocks(name: str, lines: Iterable[bytes], columns: Sequence[str], block_rows: int) -> Iterator[Block]:
    """Yield lines that can be read only once: the columns must show in the first block.

    Raises:
        InputError: no object of the first block has one of the columns, or there is no line at all.
    """
    source = iter(lines)
    first = next(_stretches(source, block_rows), [])
    _require(name, columns, _keys(first))
    yield from object_blocks(name, chain(first, source), columns, block_rows)


def _stretches(lines: Iterable[bytes], most: int) -> Iterator[list[bytes]]:
    return stretches(filter(bytes.strip, lines), most, total_length)


def _candidates(lines: Iterable[bytes], columns: Sequence[str]) -> Iterator[bytes]:
    """Yield only lines that hold the bytes of a key, since looking for those is quicker than parsing."""
    # Keys with needless escapes, as in "t\u0065xt", are therefore found among the first lines only.
    needles = {
        json.dumps(column, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
        for column in columns
        for escaped in (True, False)
    }
    return (line for line in lines if any(needle in line for needle in needles))


def _require(name: str, columns: Sequence[str], seen: dict[str, None]) -> None:
    if not seen:
        raise InputError(f'{name} has no JSON object in it; expected one object per line, such as {{"text": "..."}}')
    require_columns(name, columns, seen)


def _keys(lines: list[bytes]) -> dict[str, None]:
    faults: dict[int, str] = {}
    return {key: None for offset, line in enumerate(lines) for key in _object(line, offset, faults)}


def _block(name: str, start: int, lines: list[bytes], columns: Sequence[str]) -> Block:
    faults: dict[int, str] = {}
    rows = [_object(line, offset, faults) for offset, line in enumerate(lines)]
    return Block(name, start, {column: [row.get(column) for row in rows] for column in columns}, faults)


def _object(line: bytes, offset: int, faults: dict[int, str]) -> dict[str, Any]:
    try:
        value = _decode(str(line, "utf-8"))
    except UnicodeDecodeError:
        faults[offset] = INVALID
    except (ValueError, RecursionError):  # numbers of thousands of digits are a ValueError, deep nests the other
        faults[offset] = MALFORMED
    else:
        if isinstance(value, dict):
            return value
        faults[offset] = NOT_AN_OBJECT
    return {}
