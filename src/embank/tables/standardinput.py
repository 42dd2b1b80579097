"""Standard input without a named format: JSON lines if it begins with a brace, otherwise one text per line."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from embank.tables.contract import Block
from embank.tables.jsonlines import streamed_blocks
from embank.tables.missing import require_columns
from embank.tables.plain import COLUMN, line_blocks
from embank.tables.streams import STANDARD_INPUT, Stream


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
