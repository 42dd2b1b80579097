"""Encoded rows that wait for their commit: coded, gathered by the columns that they fill, written in segments."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from embank.arrays import Ragged, Rows, Vectors
from embank.codecs import Codec
from embank.codecs.reduction import Reduction
from embank.encode.queue import Waiting
from embank.recipe import ColumnName
from embank.store.catalogue import UNKNOWN
from embank.store.folder import Store
from embank.store.kept_texts import pack
from embank.store.vectors import codec_of, reduction_of
from embank.store.writing import Addition, Writer

_Kind = tuple[bool, tuple[ColumnName, ...]]
"""Whether texts are new to the bank, and the columns that they are given."""


@dataclass
class _Group:
    """Texts of one kind, with their rows by column."""

    waiting: list[Waiting] = field(default_factory=list)
    rows: dict[ColumnName, list[Rows | Ragged]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(part.nbytes for parts in self.rows.values() for part in parts)

    @property
    def states_size(self) -> int:
        return sum(part.nbytes for parts in self.rows.values() for part in parts if isinstance(part, Ragged))

    def joined(self, name: ColumnName) -> Rows | Ragged:
        parts = self.rows[name]
        ragged = [part for part in parts if isinstance(part, Ragged)]
        return (
            Ragged.joined(ragged)
            if ragged
            else np.concatenate([part for part in parts if not isinstance(part, Ragged)])
        )


class FinishedRows:
    """Rows of one run that are encoded and not committed yet.

    Attributes:
        grown: columns that were given rows.
        moved: ids that pointed to another text before.
        numbers: of new texts by key, entered when they are banked; None where they are not needed.
    """

    def __init__(self, store: Store, writer: Writer, *, keep_text: bool) -> None:
        """Write rows of texts, and with `keep_text` the texts themselves, with `writer`."""
        self.grown: set[str] = set()
        self.moved = 0
        self.numbers: dict[bytes, int] | None = None
        self._store, self._writer, self._keep_text = store, writer, keep_text
        self._groups: dict[_Kind, _Group] = {}
        self._by_key: dict[bytes, Waiting] = {}
        self._begun: _Kind | None = None
        self._codecs: dict[ColumnName, tuple[Codec, Reduction]] = {}

    @property
    def size(self) -> int:
        """Bytes of all rows."""
        return sum(group.size for group in self._groups.values())

    @property
    def states_size(self) -> int:
        """Bytes of rows of states."""
        return sum(group.states_size for group in self._groups.values())

    def find(self, key: bytes) -> Waiting | None:
        """The text of that key, if it is among them."""
        return self._by_key.get(key)

    def add(
        self,
        columns: tuple[ColumnName, ...],
        texts: Sequence[Waiting],
        found: Mapping[ColumnName, Vectors | Sequence[Vectors]],
    ) -> None:
        """Code rows of texts, all of them new or all known.

        Args:
            columns: that they fill.
            texts: at least one.
            found: by column, vectors `[texts, width]`, or a block of states for each text.
        """
        group = self._groups.setdefault((texts[0].number is None, columns), _Group())
        group.waiting += texts
        self._by_key.update((entry.key, entry) for entry in texts)
        for name in columns:
            vectors = found[name]
            codec, reduction = self._codec(name)
            if isinstance(vectors, np.ndarray):
                group.rows.setdefault(name, []).append(codec.encode(reduction(vectors)))
            else:
                ragged = Ragged.of(list(vectors))
                group.rows.setdefault(name, []).append(Ragged(codec.encode(ragged.rows), ragged.lengths))

    def commit(self) -> None:
        """Bank all of them.

        Raises:
            StorageFullError: no space is left; what could not be written still waits.
        """
        while self._groups:
            kind = next(iter(self._groups))
            self._commit_group(kind, self._groups[kind])
            del self._groups[kind]  # only now: a group that could not be written is not taken for done
            self._begun = None
        self._by_key.clear()

    def _codec(self, name: ColumnName) -> tuple[Codec, Reduction]:
        """A column's codec and the steps before it; its calibration is read once per run."""
        if name not in self._codecs:
            column = self._store.column(str(name))
            self._codecs[name] = codec_of(self._store, column), reduction_of(self._store, column)
        return self._codecs[name]

    def _commit_group(self, kind: _Kind, group: _Group) -> None:
        new = kind[0]
        order = np.arange(len(group.waiting))
        if not new:
            order = np.argsort(np.array([entry.number for entry in group.waiting], np.int64))
        entries = [group.waiting[at] for at in order]
        if self._begun == kind and self._is_committed(group, entries[0]):
            return  # Ctrl-C came between the commit and the line that says so
        self._begun = kind
        rows = {str(name): group.joined(name) for name in group.rows}
        if not new:  # new texts are numbered in this order; copying theirs would double what a commit holds
            rows = {name: part.take(order) if isinstance(part, Ragged) else part[order] for name, part in rows.items()}
        ids = [(at, name) for at, entry in enumerate(entries) for name in entry.ids] if new else []
        self.moved += len(self._store.catalogue.texts_of_ids([name for _, name in ids]))
        numbers = self._writer.append(
            Addition(
                keys=[entry.key for entry in entries] if new else (),
                known=None if new else np.array([entry.number for entry in entries], np.int64),
                rows=rows,
                ids=ids,
                bodies=self._bodies(entries),
            )
        )
        self.grown |= set(rows)
        if self.numbers is not None:
            self.numbers.update(zip((entry.key for entry in entries), numbers.tolist(), strict=True))

    def _is_committed(self, group: _Group, entry: Waiting) -> bool:
        number = entry.number
        if number is None:
            number = int(self._store.catalogue.lookup([entry.key])[0])
        if number == UNKNOWN:
            return False
        column = str(next(iter(group.rows)))
        return bool(self._store.reader(column).has(np.array([number], np.int64))[0])

    def _bodies(self, entries: Sequence[Waiting]) -> Iterator[tuple[int, bytes]]:
        if self._keep_text:
            for at, entry in enumerate(entries):
                yield at, pack(entry.text)
