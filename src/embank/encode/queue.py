"""Texts that wait to be encoded: each once, grouped by the columns that they lack."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from embank.recipe import ColumnName
from embank.texts import Text


@dataclass(kw_only=True)
class Waiting:
    """A text that waits.

    Attributes:
        text: its content.
        key: its hash.
        number: its number in the bank, or None while it is new.
        source: where it was read first.
        position: in that source.
        ids: what the user calls it; a text can stand in several rows.
    """

    text: Text
    key: bytes
    number: int | None
    source: str
    position: int
    ids: list[Any] = field(default_factory=list)


class Queue:
    """Waiting texts by the columns that they lack. A new text lacks all of them."""

    def __init__(self) -> None:
        """Start empty."""
        self._groups: dict[tuple[bool, tuple[ColumnName, ...]], dict[bytes, Waiting]] = {}
        self._by_key: dict[bytes, Waiting] = {}

    def find(self, key: bytes) -> Waiting | None:
        """The waiting text of that key, or None."""
        return self._by_key.get(key)

    def put(self, waiting: Waiting, columns: tuple[ColumnName, ...]) -> None:
        """Let a text wait for columns."""
        self._by_key[waiting.key] = waiting
        self._groups.setdefault((waiting.number is None, columns), {})[waiting.key] = waiting

    def take(self, at_least: int) -> Iterator[tuple[tuple[ColumnName, ...], list[Waiting]]]:
        """Take out every group that has at least so many texts: their columns, and the texts."""
        for group in [group for group, waiting in self._groups.items() if len(waiting) >= at_least]:
            taken = list(self._groups.pop(group).values())
            for waiting in taken:
                del self._by_key[waiting.key]
            yield group[1], taken
