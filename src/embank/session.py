"""An open bank as use cases see it: its store, the options that it was opened with, and the encoders that are open.

Whatever is done with a bank is given its session, so that every feature reads, computes and finds encoders alike.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from embank.arrays import TextIds, Vectors
from embank.encode import EncodeReport, Fault, Stop, TextBlock, Watch
from embank.encode.default_columns import default_columns, resolve
from embank.encode.external import is_given
from embank.encode.opened_encoders import OpenedEncoders
from embank.encode.options import BankOptions
from embank.encode.run import EncodeRun, has_room
from embank.encode.states_cost import Verdict, weigh
from embank.errors import UsageError
from embank.recipe import DEFAULT_CODEC, STATES, ColumnName
from embank.store.catalogue import UNKNOWN
from embank.store.folder import Store
from embank.store.kept_texts import kept_texts, unpack
from embank.store.vectors import vectors as stored_vectors
from embank.texts import Text, keys_and_faults, plain_id

_KEPT_BLOCK = 4096

STATES_BUDGET = "states_budget"
"""The setting in which a bank keeps the latest budget."""


class Session:
    """An open bank: columns, texts and encoders of it.

    Attributes:
        store: the bank's folder.
        options: how its encoders read and compute.
        encoders: found and opened ones.
    """

    def __init__(self, store: Store, options: BankOptions) -> None:
        """Work on `store` as `options` say."""
        self.store = store
        self.options = options
        self.encoders = OpenedEncoders(store, options)

    # encoders

    def encoders_in_use(self) -> set[str]:
        """Names of encoders that columns were filled by, or that tails run, whether their states are banked or not."""
        tails = [task.states for task in self.store.catalogue.tasks().values() if task.states is not None]
        return {ColumnName.parse(name).encoder for name in (*self.store.catalogue.columns(), *tails)}

    # columns

    def wanted(self, columns: Sequence[str], encoder: str | None, codec: str | None) -> list[ColumnName]:
        """Which columns a run shall fill: those named, the encoder's defaults, or those that the bank has.

        Raises:
            UsageError: a malformed name, or an encoder other than the given one.
        """
        if columns:
            parsed = [ColumnName.parse(spec, codec or DEFAULT_CODEC) for spec in columns]
            if encoder:
                self.encoders.find_all(encoder)
            by_encoder: dict[str, list[ColumnName]] = {}
            for column in parsed:
                by_encoder.setdefault(column.encoder, []).append(column)
            return [column for name, own in by_encoder.items() for column in self._resolved(name, own)]
        self.encoders.check_options()
        there = [ColumnName.parse(name) for name in self.store.catalogue.columns()]
        own = [column for column in there if not is_given(self.store, column.encoder)]
        if encoder is None and codec is None and there:
            if not own:
                message = f"{self.store.root} has only vectors made elsewhere: put more, or name --encoder or --columns"
                raise UsageError(message)
            return own
        found = self.encoders.find_all(encoder) if encoder or not own else [self.encoders.known(own[0].encoder)]
        wanted: list[ColumnName] = []
        for located in found:
            mine = [column for column in own if column.encoder == located.name]
            wanted += mine if codec is None and mine else default_columns(located, codec or DEFAULT_CODEC)
        return wanted

    def states_column(self, name: str, layer: int | None) -> ColumnName:
        """The column of an encoder's states at a layer (None: half of the depth), at float16.

        Raises:
            UsageError: unknown layer, or a family that cannot be cut.
        """
        located = self.encoders.known(name)
        cut = max(1, located.layers // 2) if layer is None else layer
        (column,) = resolve(located, [ColumnName(name, cut, STATES)])
        return column

    def weigh_states(self, texts: Sequence[Any], layer: int | None, encoder: str | None) -> Verdict:
        """Measure read-or-recompute for the states of a layer; see `encode.states_cost`."""
        column = self.states_column(self.wanted([], encoder, None)[0].encoder, layer)
        sound = [text for text, key in zip(texts, keys_and_faults(texts)[0], strict=True) if key is not None]
        return weigh(self.encoders.encoder_for(column, sound), column, sound, self.store.root)

    def _resolved(self, name: str, columns: Sequence[ColumnName]) -> Sequence[ColumnName]:
        """Columns of one encoder with `own` written out; those of vectors made elsewhere as they are."""
        return columns if is_given(self.store, name) else resolve(self.encoders.known(name), columns)

    def full_names(self, names: Sequence[str]) -> list[str]:
        """Column names in full: with their codec, and `own` as the pooling that it stands for."""
        there = self.store.catalogue.columns()
        found = []
        for column in map(ColumnName.parse, names):
            known = str(column) in there or column.pooling != "own"
            found.append(str(column if known else self._resolved(column.encoder, [column])[0]))
        return found

    # texts

    def vectors(
        self, columns: Sequence[str], texts: Sequence[Any] | None = None, ids: Sequence[Any] | None = None
    ) -> Vectors:
        """Float32 vectors `[texts, sum of widths]` of columns, side by side.

        Args:
            columns: names.
            texts: for these texts, in their order; what the bank lacks is encoded on the way.
            ids: for texts by what the user calls them. Without texts and ids: all texts of the first column.

        Raises:
            UsageError: unknown column, an id that the bank does not have, or a text that cannot be encoded.
        """
        names = self.full_names(columns)
        if texts is not None:
            numbers = self.numbers_in(TextBlock("texts", 0, texts), names)
        elif ids is not None:
            numbers = self.numbers_of_ids(ids)
            lost = np.flatnonzero(numbers == UNKNOWN)
            if len(lost):
                raise UsageError(f"{len(lost)} ids are not in {self.store.root}, the first is {ids[lost[0]]!r}")
        else:
            numbers = self.store.reader(names[0]).covered()
        return stored_vectors(self.store, names, numbers)

    def fill(
        self,
        columns: Sequence[ColumnName],
        blocks: Iterable[TextBlock],
        *,
        keep_text: bool = False,
        watch: Watch = lambda _: None,
        stop: Stop = lambda: False,
    ) -> EncodeReport:
        """Encode what is missing of `blocks` into `columns`.

        Raises:
            BankLockedError: another writer holds the bank.
        """
        with self._running(columns, keep_text=keep_text) as run:
            return run.run(blocks, watch, stop)

    @contextmanager
    def _running(self, columns: Sequence[ColumnName], *, keep_text: bool) -> Iterator[EncodeRun]:
        """A run that fills columns, while the bank is locked."""
        usual = self.options.run
        settings = replace(usual, keep_text=keep_text or usual.keep_text, states_budget=self._budget())
        catalogue = self.store.catalogue
        with self.store.writer() as writer:
            if usual.states_budget is not None and usual.states_budget != catalogue.setting(STATES_BUDGET):
                with catalogue.transaction():
                    catalogue.set_setting(STATES_BUDGET, usual.states_budget)
            run = EncodeRun(
                self.store,
                writer,
                columns,
                lambda name, wanted, texts: self.encoders.open(name, wanted, texts, run.enter),
                settings,
            )
            yield run
            self.encoders.record_compute()

    def numbers(
        self,
        block: TextBlock,
        columns: Sequence[ColumnName],
        watch: Watch = lambda _: None,
        *,
        keep_text: bool = False,
    ) -> tuple[TextIds, EncodeReport]:
        """The bank's numbers of a block's texts; UNKNOWN for those that cannot be encoded.

        Texts that lack one of the columns are encoded first. The bank is locked only if there are such texts. Each text
        is hashed once and looked up once, unless somebody else changes the bank between the look and the lock.

        Args:
            block: rows of texts.
            columns: that all of them shall have a row in.
            watch: progress callback, called after every batch that is encoded.
            keep_text: the bank shall keep these texts themselves, too.
        """
        keys, faults = block.hashed.keys, block.hashed.faults
        version = self.store.catalogue.version()
        found = self.store.catalogue.lookup(keys)
        listed = [Fault(block.source, block.start + at, None, reason) for at, reason in sorted(faults.items())]
        report = EncodeReport(rows=len(block.texts), known=len(keys), faults=listed, n_faults=len(faults))
        if not self._complete(found, columns) or (keep_text and not self._keeps(found)):
            known = dict(zip(keys, found.tolist(), strict=True))
            with self._running(columns, keep_text=keep_text) as run:
                if self.store.catalogue.version() != version:  # somebody else changed the bank before it was locked
                    known = dict(zip(keys, self.store.catalogue.lookup(keys).tolist(), strict=True))
                report = run.run([block], watch, numbers=known)
            found = np.array([known[key] for key in keys], np.int64)
        elif (found == UNKNOWN).any():
            absent = [block.hashed.offsets[at] for at in np.flatnonzero(found == UNKNOWN).tolist()]
            why = "not in the bank, and its vectors are made elsewhere"
            report.faults += [Fault(block.source, block.start + at, None, why) for at in absent]
            report.n_faults += len(absent)
        numbers = np.full(len(block.texts), UNKNOWN, np.int64)
        numbers[list(block.hashed.offsets)] = found
        return numbers, report

    def numbered(
        self,
        texts: Sequence[Any],
        columns: Sequence[ColumnName],
        watch: Watch = lambda _: None,
        *,
        keep_text: bool = False,
    ) -> tuple[TextIds, dict[int, Text]]:
        """Numbers of texts, encoded first where they lack one of the columns, and the texts by number; see `numbers`.

        A list of two strings is a pair, as files have it.
        """
        pairs = [tuple(text) if isinstance(text, list) and len(text) == 2 else text for text in texts]  # noqa: PLR2004
        block = TextBlock("texts", 0, pairs)
        numbers, _ = self.numbers(block, columns, watch, keep_text=keep_text)
        by_number = zip(numbers.tolist(), block.texts, strict=True)
        return numbers, {number: text for number, text in by_number if number != UNKNOWN}

    def _keeps(self, numbers: TextIds) -> bool:
        """Whether the bank keeps all of these texts."""
        distinct = np.unique(numbers).tolist()
        return len(kept_texts(self.store, distinct)) == len(distinct)

    def numbers_of(self, texts: Sequence[Any], watch: Watch) -> TextIds:
        """Numbers of texts, encoded first where the bank lacks them; UNKNOWN for those that cannot be."""
        return self.numbers(TextBlock("texts", 0, texts), self.own_columns(), watch)[0]

    def own_columns(self) -> list[ColumnName]:
        """The bank's columns that an encoder can fill: all but vectors made elsewhere."""
        return [
            column
            for column in map(ColumnName.parse, self.store.catalogue.columns())
            if not is_given(self.store, column.encoder)
        ]

    def numbers_in(self, block: TextBlock, names: Sequence[str]) -> TextIds:
        """The bank's numbers of texts that all have rows in these columns, encoded first where they lack some.

        Raises:
            UsageError: a text cannot be encoded, or has no vector among those that were made elsewhere.
        """
        parsed = [ColumnName.parse(name) for name in names]
        given = {column.encoder for column in parsed if is_given(self.store, column.encoder)}
        own = [str(column) for column in parsed if column.encoder not in given]
        numbers, report = self.numbers(block, self.wanted(own, None, None) if own else [])
        if report.n_faults:
            first = report.faults[0]
            where = f"the first is text {first.position}: {first.reason}"
            raise UsageError(f"{report.n_faults} texts cannot be encoded, {where}")
        for name in names:
            lacking = np.flatnonzero(~self.store.reader(name).has(numbers))
            if len(lacking):
                raise UsageError(
                    f"{len(lacking)} texts have no vector in {name}, the first is text {lacking[0]}: put them"
                )
        return numbers

    def numbers_of_ids(self, ids: Sequence[Any]) -> TextIds:
        """The bank's numbers of ids; UNKNOWN for those that it does not have.

        A file may give as "17" what another gave as 17: what is not found one way is looked for the other.
        """
        catalogue = self.store.catalogue
        plain = [plain_id(name) for name in ids]
        found = catalogue.texts_of_ids([name for name in plain if name is not None])
        other = {name: _twin(name) for name in plain if name is not None and name not in found}
        twins = catalogue.texts_of_ids([twin for twin in other.values() if twin is not None])
        numbers = [found.get(name, twins.get(other.get(name) if name is not None else None, UNKNOWN)) for name in plain]
        return np.array(numbers, np.int64)

    def kept_blocks(self) -> Iterator[TextBlock]:
        """The texts that the bank kept, as blocks.

        Raises:
            UsageError: it kept none.
        """
        if not self.store.catalogue.body_counts()[0]:
            message = f"{self.store.root} keeps no texts: give the files again, or encode with --keep-text next time"
            raise UsageError(message)
        chunk: list[Text] = []
        start = 0
        for _, body in self.store.catalogue.bodies():
            chunk.append(unpack(body))
            if len(chunk) == _KEPT_BLOCK:
                yield TextBlock("kept texts", start, chunk)
                start, chunk = start + len(chunk), []
        if chunk:
            yield TextBlock("kept texts", start, chunk)

    def _complete(self, numbers: TextIds, columns: Sequence[ColumnName]) -> bool:
        if not columns:  # vectors made elsewhere: there is nothing to encode with
            return True
        if (numbers == UNKNOWN).any():
            return False
        there = self.store.catalogue.columns()
        # States beyond the budget are computed when they are needed: a text without them lacks nothing.
        full = not has_room(self.store, self._budget())
        return all(
            str(column) in there and bool(self.store.reader(str(column)).has(numbers).all())
            for column in columns
            if not (column.is_states and full)
        )

    def _budget(self) -> int | None:
        own = self.options.run.states_budget
        return self.store.catalogue.setting(STATES_BUDGET) if own is None else own


def _twin(name: int | str) -> int | str | None:
    """The same id in the other type: "17" for 17, and 17 for "17"."""
    if isinstance(name, int):
        return str(name)
    return int(name) if name.isdecimal() and str(int(name)) == name else None
