"""Plain text, one text per line: a table with a single column."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from embank.errors import InputError
from embank.tables.contract import Block, require_columns
from embank.tables.streams import Stream
from embank.tables.stretches import stretches, total_length

COLUMN = "text"
INVALID = "invalid UTF-8"


@dataclass(frozen=True)
class PlainTable:
    """Lines of UTF-8; an empty line is an empty text, so that line n stays row n.

    If one column is requested, it is the lines, whatever its name.

    Attributes:
        stream: Where the bytes come from.
        suspect: Whether nothing but the absence of a known extension says that this is text.
    """

    stream: Stream
    suspect: bool = False

    @property
    def name(self) -> str:
        """The source as messages and blocks call it."""
        return self.stream.name

    def require(self, columns: Sequence[str]) -> None:
        """Check that the file opens and is text, and that no more than one column is requested."""
        if len(columns) > 1:
            require_columns(self.name, columns, [COLUMN])
        with self.stream.opened() as handle:
            if self.suspect and b"\0" in handle.peek():
                raise InputError(
                    f"{self.name} is neither text nor a table by its extension; name the format with --format"
                )

    def blocks(self, columns: Sequence[str], block_rows: int) -> Iterator[Block]:
        """Yield the lines, without their line ends."""
        if len(columns) > 1:
            require_columns(self.name, columns, [COLUMN])
        with self.stream.opened() as handle:
            yield from line_blocks(self.name, handle, columns[0], block_rows)


def line_blocks(name: str, lines: Iterable[bytes], column: str, block_rows: int) -> Iterator[Block]:
    """Yield lines as blocks of one column."""
    start = 0
    for stretch in stretches(iter(lines), block_rows, total_length):
        faults: dict[int, str] = {}
        texts = [_text(line, offset, faults) for offset, line in enumerate(stretch)]
        yield Block(name, start, {column: texts}, faults)
        start += len(stretch)


def _text(line: bytes, offset: int, faults: dict[int, str]) -> str | None:
    try:
        return str(line.removesuffix(b"\n").removesuffix(b"\r"), "utf-8")
    except UnicodeDecodeError:
        faults[offset] = INVALID
        return None
