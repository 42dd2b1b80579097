"""A bank's encoders while it is open: found, checked against what the bank knows, opened once, used by every run."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from embank.arrays import TextIds
from embank.encode import EncodeReport, Fault, Stop, TextBlock, Watch
from embank.encode.columns import check_reading, readout_of
from embank.encode.default_columns import default_columns, resolve
from embank.encode.external import is_given
from embank.encode.run import EncodeRun, EncodeSettings, has_room
from embank.encode.states_cost import Verdict, weigh
from embank.encoders import Encoder
from embank.encoders.backends import Compute
from embank.encoders.compute import WORTH_MEASURING, ComputeOptions, open_fastest
from embank.encoders.load import DEFAULT, Located, ReadingOptions, locate, locate_all
from embank.errors import EncoderChangedError, UsageError
from embank.recipe import DEFAULT_CODEC, STATES, ColumnName
from embank.store.catalogue import UNKNOWN
from embank.store.folder import Store
from embank.store.kept_texts import unpack
from embank.texts import Text, keys_and_faults, plain_id

_KEPT_BLOCK = 4096

STATES_BUDGET = "states_budget"
"""The name under which a bank keeps the budget that it was given last."""


@dataclass(frozen=True)
class BankOptions:
    """How a bank's encoders read and compute.

    Attributes:
        reading: prompt, longest input and the like, for encoders that the bank does not know yet.
        compute: backend, precision, cache folder.
        run: window and segment sizes.
        local_files_only: ask no network for encoders.
        places: "NAME=FOLDER" for encoders that the bank knows and that have moved since.
    """

    reading: ReadingOptions = field(default_factory=ReadingOptions)
    compute: ComputeOptions = field(default_factory=ComputeOptions)
    run: EncodeSettings = field(default_factory=EncodeSettings)
    local_files_only: bool = False
    places: tuple[str, ...] = ()


class Encoders:
    """Finds and opens encoders for one bank."""

    def __init__(self, store: Store, options: BankOptions) -> None:
        """Serve `store`."""
        self.store = store
        self.options = options
        self._located: dict[str, Located] = {}
        self._any: dict[str, Encoder] = {}
        self.compute: dict[str, Compute] = {}

    def wanted(self, columns: Sequence[str], encoder: str | None, codec: str | None) -> list[ColumnName]:
        """Which columns a run shall fill: those named, the encoder's defaults, or those that the bank has.

        Raises:
            UsageError: a name that is no column, or an encoder that is not the one given.
        """
        if columns:
            parsed = [ColumnName.parse(spec, codec or DEFAULT_CODEC) for spec in columns]
            given = self.find_all(encoder) if encoder else []
            strangers = {name.encoder for name in parsed} - {located.name for located in given}
            return [
                column
                for name in dict.fromkeys(column.encoder for column in parsed)
                for column in self._resolved(
                    name, [column for column in parsed if column.encoder == name], found=name not in strangers
                )
            ]
        self._check_options()
        there = [ColumnName.parse(name) for name in self.store.catalogue.columns()]
        own = [column for column in there if not is_given(self.store, column.encoder)]
        if encoder is None and codec is None and there:
            if not own:
                message = f"{self.store.root} has only vectors made elsewhere: put more, or name --encoder or --columns"
                raise UsageError(message)
            return own
        found = self.find_all(encoder) if encoder or not own else [self.known(own[0].encoder)]
        wanted: list[ColumnName] = []
        for located in found:
            mine = [column for column in own if column.encoder == located.name]
            wanted += mine if codec is None and mine else default_columns(located, codec or DEFAULT_CODEC)
        return wanted

    def states_of(self, name: str, layer: int | None) -> ColumnName:
        """The column of an encoder's states at a layer (None: half of the depth), at float16.

        Raises:
            UsageError: no such layer, or a family that cannot be cut.
        """
        located = self.known(name)
        cut = max(1, located.layers // 2) if layer is None else layer
        (column,) = resolve(located, [ColumnName(name, cut, STATES)])
        return column

    def weigh_states(self, texts: Sequence[Any], layer: int | None, encoder: str | None) -> Verdict:
        """Measure read-or-recompute for the states of a layer; see `weighing`."""
        column = self.states_of(self.wanted([], encoder, None)[0].encoder, layer)
        sound = [text for text, key in zip(texts, keys_and_faults(texts)[0], strict=True) if key is not None]
        return weigh(self.open(column.encoder, [column], sound), column, sound, self.store.root)

    def _resolved(self, name: str, columns: Sequence[ColumnName], *, found: bool) -> Sequence[ColumnName]:
        if is_given(self.store, name):  # what has its vectors passes by; what lacks them is refused when it comes
            return columns
        return resolve(self._located[name] if found else self.known(name), columns)

    def written_out(self, names: Sequence[str]) -> list[str]:
        """Column names in full: with their codec, and `own` as the pooling that it stands for."""
        there = self.store.catalogue.columns()
        parsed = [ColumnName.parse(name) for name in names]
        return [
            str(column if str(column) in there or column.pooling != "own" else self._plain(column)) for column in parsed
        ]

    def _plain(self, column: ColumnName) -> ColumnName:
        return column if is_given(self.store, column.encoder) else resolve(self.known(column.encoder), [column])[0]

    def find(self, spec: str | None) -> Located:
        """Locate an encoder as the user named it; one whose name stands in `places` is looked for there.

        Raises:
            EncoderError: there is none.
            EncoderChangedError: the bank knows another by that name.
        """
        if spec is not None and self._is_moved(spec):
            return self.known(spec)
        located = locate(spec or DEFAULT, self.options.reading, local_files_only=self.options.local_files_only)
        return self._found(located)

    def find_all(self, spec: str | None) -> list[Located]:
        """Locate an encoder as the user named it, or all that a prefix trunk is; raises as `find` does."""
        if spec is not None and self._is_moved(spec):
            return [self.known(spec)]
        local = self.options.local_files_only
        found = locate_all(spec or DEFAULT, self.options.reading, local_files_only=local)
        return [self._found(located) for located in found]

    def _found(self, located: Located) -> Located:
        check_reading(self.store, located.name, located.reading, located.origin)
        self._located[located.name] = located
        return located

    def known(self, name: str) -> Located:
        """Locate an encoder that the bank knows, reading as it did; a name that it does not know is looked for.

        Raises:
            EncoderChangedError: what is found there now reads differently.
        """
        if name in self._located:
            return self._located[name]
        entry = self.store.catalogue.encoders().get(name)
        if entry is None:
            return self.find(name)
        if is_given(self.store, name):
            raise UsageError(f"vectors of {name!r} are made elsewhere: put those of new texts with Bank.put")
        reading, facts = entry
        asked = self.options.reading
        options = ReadingOptions(
            reading.prompt if asked.prompt is None else asked.prompt,
            asked.max_tokens or reading.max_tokens,
            asked.truncation or reading.truncation,
            asked.long or reading.long,
        )
        place = self._place_of(name) or facts["origin"]
        located = locate(f"{name}={place}", options, local_files_only=self.options.local_files_only)
        try:
            check_reading(self.store, name, located.reading, located.origin)
        except EncoderChangedError as changed:
            if asked != ReadingOptions():
                raise
            message = f"{place} has changed since this bank was encoded with it as {name!r}: {changed}"
            raise EncoderChangedError(message) from changed
        self._located[name] = located
        return located

    def open(self, name: str, columns: Sequence[ColumnName], texts: Sequence[Text]) -> Encoder:
        """Open an encoder, or give the one that is open."""
        if name not in self._any or self._is_worth_measuring(name, texts):
            readouts = list(dict.fromkeys(map(readout_of, columns)))
            located = self.known(name)
            twin = self._twin(located, texts)
            if twin is None:
                encoder, compute = open_fastest(located, self.options.compute, texts, readouts)
            else:  # one model in memory, and one pass for all of them
                compute = self.compute[twin]
                encoder = self._any[twin].sibling(name, located.origin, located.reading, located.prefixes)  # type: ignore[attr-defined]
            self._any[name] = encoder
            self.compute[name] = compute
        return self._any[name]

    def _twin(self, located: Located, texts: Sequence[Text]) -> str | None:
        """An open encoder that is the same model under other prefixes."""
        for name in self._any if located.prefixes else ():
            other = self._located.get(name)
            if other is None or name == located.name or not other.prefixes or self._is_worth_measuring(name, texts):
                continue
            alike = replace(other.reading, prefix=None) == replace(located.reading, prefix=None)
            if alike and other.folder.path == located.folder.path:
                return name
        return None

    def _is_worth_measuring(self, name: str, texts: Sequence[Text]) -> bool:
        """Whether an encoder that was opened for a few texts, unmeasured, has met many since."""
        return len(texts) >= WORTH_MEASURING and self.compute[name].unmeasured

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
        run = self.options.run
        settings = replace(run, keep_text=keep_text or run.keep_text, states_budget=self._budget())
        with self.store.writer() as writer:
            if run.states_budget is not None:
                with self.store.catalogue.transaction():
                    self.store.catalogue.set_setting(STATES_BUDGET, run.states_budget)
            report = EncodeRun(self.store, writer, columns, self.open, settings).run(blocks, watch, stop)
            self._state_compute()
        return report

    def numbers(
        self, block: TextBlock, columns: Sequence[ColumnName], watch: Watch = lambda _: None
    ) -> tuple[TextIds, EncodeReport]:
        """The bank's numbers of a block's texts; UNKNOWN for those that cannot be encoded.

        Texts that lack one of the columns are encoded first. The bank is locked only if there are such texts.
        """
        keys, faults = keys_and_faults(block.texts)
        faults |= block.faults
        sound = [at for at, key in enumerate(keys) if key is not None and at not in faults]
        asked = [keys[at] or b"" for at in sound]
        found = self.store.catalogue.lookup(asked)
        listed = [Fault(block.source, block.start + at, None, reason) for at, reason in sorted(faults.items())]
        report = EncodeReport(rows=len(keys), known=len(sound), faults=listed, n_faults=len(faults))
        if not self._complete(found, columns):
            report = self.fill(columns, [block], watch=watch)
            found = self.store.catalogue.lookup(asked)
        elif (found == UNKNOWN).any():
            absent = [sound[at] for at in np.flatnonzero(found == UNKNOWN)]
            why = "not in the bank, and its vectors are made elsewhere"
            report.faults += [Fault(block.source, block.start + at, None, why) for at in absent]
            report.n_faults += len(absent)
        numbers = np.full(len(keys), UNKNOWN, np.int64)
        numbers[sound] = found
        return numbers, report

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

    def _place_of(self, name: str) -> str | None:
        """Where the user says that an encoder of the bank is now."""
        for spec in self.options.places:
            given, _, place = spec.rpartition("=")
            if given == name:
                return place
        return None

    def _is_moved(self, name: str) -> bool:
        """Whether the bank knows an encoder by this name and the user says where it is now."""
        return self._place_of(name) is not None and name in self.store.catalogue.encoders()

    def _check_options(self) -> None:
        """Refuse reading options that an encoder of this bank contradicts, rather than ignore them."""
        if self.options.reading != ReadingOptions():
            for name in self.store.catalogue.encoders():
                if not is_given(self.store, name):
                    self.known(name)

    def _state_compute(self) -> None:
        """State in the bank what the encoders computed in, and what was measured of it."""
        for name, (reading, facts) in self.store.catalogue.encoders().items():
            stated = dict(facts)
            if name in self.compute:
                stated |= {"compute": str(self.compute[name]), "origin": self._located[name].origin}
            if stated != facts:
                with self.store.catalogue.transaction():
                    self.store.catalogue.set_encoder(name, reading, stated)

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


def _twin(name: Any) -> Any:
    """The same id in the other type: "17" for 17, and 17 for "17"."""
    if isinstance(name, int):
        return str(name)
    return int(name) if name.isdecimal() and str(int(name)) == name else None
