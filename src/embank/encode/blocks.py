"""Texts in memory as blocks, so that everything downstream sees one form."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from embank.encode import TextBlock
from embank.errors import UsageError

_BLOCK = 8192


def blocks_of(texts: Iterable[Any], ids: Sequence[Any] | None) -> Iterator[TextBlock]:
    """Texts as blocks; an iterable of blocks is one already."""
    if isinstance(texts, str):
        raise UsageError("texts is one string; give a list of texts")
    start = 0
    chunk: list[Any] = []
    for text in texts:
        if isinstance(text, TextBlock):
            yield text
            continue
        chunk.append(text)
        if len(chunk) == _BLOCK:
            yield _block(chunk, start, ids)
            start, chunk = start + len(chunk), []
    if chunk:
        yield _block(chunk, start, ids)


def _block(texts: list[Any], start: int, ids: Sequence[Any] | None) -> TextBlock:
    if ids is not None and len(ids) < start + len(texts):
        raise UsageError(f"there are fewer ids ({len(ids)}) than texts: one id a text is needed")
    return TextBlock("texts", start, texts, None if ids is None else list(ids[start : start + len(texts)]))
