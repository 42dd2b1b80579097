"""Users' files as blocks of texts, for every command that reads some."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import embank
from embank.cli._flags import TextRows

if TYPE_CHECKING:
    from embank import TextBlock
    from embank.tables import Block


@dataclass(frozen=True, kw_only=True)
class Source:
    """Which files to read, and which of their columns are what.

    Attributes:
        files: paths, or "-" for standard input.
        text: the column of texts.
        pair: a second column that is read together with it, or None.
        id: the column of ids, or None.
        as_format: as the user said, or None.
        words: a column of lists of words, instead of `text`, or None.
    """

    files: Sequence[Path]
    text: str
    pair: str | None = None
    id: str | None = None
    as_format: str | None = None
    words: str | None = None

    @classmethod
    def of(cls, files: Sequence[Path], rows: TextRows) -> "Source":
        """Files, and their columns as the flags say."""
        return cls(files=files, text=rows.text, pair=rows.pair, id=rows.id, as_format=rows.format, words=rows.words)

    @property
    def columns(self) -> list[str]:
        """The columns to read."""
        return list(dict.fromkeys(name for name in (self.words or self.text, self.pair, self.id) if name is not None))


def text_blocks(source: Source) -> "Iterator[TextBlock]":
    """Stream the texts of files; all files are looked at before the first block comes.

    Raises:
        InputError: a file is missing or broken, or lacks a column; the message lists those it has.
    """
    blocks = embank.tables.read(source.files, source.columns, as_format=source.as_format)
    return (_text_block(source, block) for block in blocks)


def paired_blocks(source: Source, apart: str) -> "Iterator[tuple[TextBlock, TextBlock]]":
    """Stream two columns of texts that are encoded apart."""
    columns = [*source.columns, apart]
    for block in embank.tables.read(source.files, list(dict.fromkeys(columns)), as_format=source.as_format):
        yield _text_block(source, block), _text_block(Source(files=source.files, text=apart), block)


def rows_of(source: Source, more: Sequence[str] = ()) -> dict[str, list[Any]]:
    """Read columns of files whole; for labels, which fit into memory."""
    names = list(dict.fromkeys([*source.columns, *more]))
    found: dict[str, list[Any]] = {name: [] for name in names}
    for block in embank.tables.read(source.files, names, as_format=source.as_format):
        for name in names:
            found[name] += block.columns[name]
    return found


def joined(words: Any) -> Any:
    """The text that a list of words makes, also of one in JSON; whatever else stands there is left as it is."""
    if isinstance(words, str) and words.lstrip().startswith("["):
        try:
            words = json.loads(words)
        except ValueError:
            return words
    return words if embank.words_fault(words) else embank.words_text(words)


def _text_block(source: Source, block: "Block") -> "TextBlock":
    texts: list[Any] = block.columns[source.words or source.text]
    if source.words is not None:
        texts = [joined(words) for words in texts]
    if source.pair is not None:
        texts = list(zip(texts, block.columns[source.pair], strict=True))
    ids = None if source.id is None else block.columns[source.id]
    return embank.TextBlock(block.source, block.start, texts, ids=ids, faults=block.faults)
