"""A run of encoding: rows stream in, what is known passes by, what is missing is encoded and banked in segments."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from embank.arrays import TextIds, Vectors
from embank.encode import ENCODING, SHOWN_FAULTS, EncodeReport, Fault, Stop, TextBlock, Watch
from embank.encode.batch_encode import encode_texts
from embank.encode.columns import add_missing_columns
from embank.encode.finished import FinishedRows
from embank.encode.options import EncodeSettings
from embank.encode.queue import Queue, Waiting
from embank.encode.shared_pass import passes_of
from embank.encoders import Encoder, Readout
from embank.encoders.backends import WORTH_MEASURING
from embank.recipe import ColumnName
from embank.store.catalogue import UNKNOWN
from embank.store.compaction import merge_small
from embank.store.folder import Store
from embank.store.kept_texts import pack
from embank.store.segments import ColumnReader
from embank.store.writing import Writer
from embank.texts import Text, plain_id

Opener = Callable[[str, Sequence[ColumnName], Sequence[Text]], Encoder]
"""Gives the encoder of that name, for these columns, and the latest texts of a run; called for every window."""


_STATES_WINDOW = 256
"""Texts of a window whose states are taken: as float32, they weigh some hundred megabytes."""

_STATES_SEGMENTS = 4
"""How many times larger segments may be then: states weigh some fifty times as much as a vector."""


class EncodeRun:
    """One run over a stream of blocks. Encoders are opened at the first text that needs them."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        columns: Sequence[ColumnName],
        opened: Opener,
        settings: EncodeSettings,
    ) -> None:
        """Fill `columns` of a bank; `opened` gives an encoder by name, and sees the first texts that need it."""
        self.report = EncodeReport()
        self._store, self._writer, self._settings = store, writer, settings
        self._columns = list(dict.fromkeys(columns))
        self._states = {name for name in columns if name.is_states}
        self._window = min(settings.window, _STATES_WINDOW) if self._states else settings.window
        self._segment_bytes = settings.segment_bytes * (_STATES_SEGMENTS if self._states else 1)
        self._opened = opened
        self._queue = Queue()
        self._finished = FinishedRows(store, writer, keep_text=settings.keep_text)
        self._numbers: dict[bytes, int] | None = None
        self._readers: dict[ColumnName, ColumnReader] | None = None
        self._began = self._committed = time.monotonic()
        self._shown: list[Text] = []
        self._watch: Watch = lambda _: None
        self._entered = self._began

    def run(
        self,
        blocks: Iterable[TextBlock],
        watch: Watch = lambda _: None,
        stop: Stop = lambda: False,
        numbers: dict[bytes, int] | None = None,
    ) -> EncodeReport:
        """Encode everything; on an interruption, what was encoded by then is banked first.

        Args:
            blocks: rows of texts.
            watch: called after every batch with what was done so far.
            stop: called after every batch: whether to stop.
            numbers: of texts by key, where the caller has looked all of them up since the bank was last changed;
                UNKNOWN for new ones, whose numbers are entered when they are banked.
        """
        self._watch = watch
        self._numbers = self._finished.numbers = numbers
        sources: set[str] = set()
        try:
            for block in blocks:
                if block.source not in sources:
                    sources.add(block.source)
                    with self._store.catalogue.transaction():
                        self._store.catalogue.clear_faults([block.source])
                self._sort_out(block)
                self._encode_groups(self._window, watch, stop)
                self.tell(watch)
                if stop():
                    break
            if not stop():
                self._encode_groups(1, watch, stop)
        finally:
            self._commit()
        self.report.interrupted = stop()
        self.enter("")
        for name in sorted(self._finished.grown):
            merge_small(self._writer, self._store.reader(name))
        self.tell(watch)
        return self.report

    def _sort_out(self, block: TextBlock) -> None:
        """Send each row of a block where it belongs: known, waiting, or faulty."""
        faults, offsets, sound = block.hashed.faults, block.hashed.offsets, block.hashed.keys
        self.report.rows += len(block.texts)
        self._record(
            Fault(block.source, block.start + offset, _id(block, offset), reason) for offset, reason in faults.items()
        )
        numbers = self._looked_up(sound)
        lacking = self._lacking(numbers)
        shut = bool(self._states) and not self._has_room()
        if shut:
            self.report.unkept += self._without_states(np.unique(numbers[numbers != UNKNOWN]))
        known_ids: list[tuple[Any, int]] = []
        bodies: list[tuple[int, bytes]] = []
        for at, (offset, key, number) in enumerate(zip(offsets, sound, numbers.tolist(), strict=True)):
            name = _id(block, offset)
            if number != UNKNOWN and name is not None:
                known_ids.append((name, number))
            if number != UNKNOWN and not lacking[at]:
                self.report.known += 1
                if self._settings.keep_text:
                    bodies.append((number, pack(block.texts[offset])))
                continue
            already = self._queue.find(key) or self._finished.find(key)
            if already is not None:
                self.report.known += 1
            else:
                already = Waiting(
                    text=block.texts[offset],
                    key=key,
                    number=None if number == UNKNOWN else number,
                    source=block.source,
                    position=block.start + offset,
                )
                self._queue.put(already, lacking[at])
                self.report.unkept += shut and number == UNKNOWN
            if number == UNKNOWN and name is not None:
                already.ids.append(name)
        self._name(known_ids)
        if bodies:
            with self._store.catalogue.transaction():
                self._store.catalogue.keep_bodies(bodies)

    def _looked_up(self, keys: Sequence[bytes]) -> TextIds:
        """Numbers of texts: as the caller knows them, or from the catalogue."""
        if self._numbers is None:
            return self._store.catalogue.lookup(keys)
        return np.array([self._numbers[key] for key in keys], np.int64)

    def _lacking(self, numbers: TextIds) -> list[tuple[ColumnName, ...]]:
        """For each text, the columns that it has no row in; new texts lack all."""
        everything = tuple(name for name in self._columns if name not in self._states or self._has_room())
        if self._readers is None:
            there = self._store.catalogue.columns()
            self._readers = {name: self._store.reader(str(name)) for name in self._columns if str(name) in there}
        lacks = np.ones((len(everything), len(numbers)), np.bool_)
        known = numbers != UNKNOWN
        for at, name in enumerate(everything):
            if name in self._readers and known.any():
                lacks[at, known] = ~self._readers[name].has(numbers[known])
        if not lacks[:, known].any():  # the common case of a second run
            return [everything if number == UNKNOWN else () for number in numbers.tolist()]
        patterns, which = np.unique(lacks, axis=1, return_inverse=True)
        named = [tuple(name for name, lack in zip(everything, column, strict=True) if lack) for column in patterns.T]
        return [named[pattern] for pattern in which.reshape(-1).tolist()]

    def _without_states(self, numbers: TextIds) -> int:
        """How many of these texts lack states that are wanted."""
        readers = self._readers or {}
        lacks = [
            ~readers[name].has(numbers) if name in readers else np.ones(len(numbers), np.bool_) for name in self._states
        ]
        return int(np.any(lacks, axis=0).sum())

    def _name(self, ids: list[tuple[Any, int]]) -> None:
        """Let ids point to texts that the bank has, where they do not already."""
        if not ids:
            return
        catalogue = self._store.catalogue
        before = catalogue.texts_of_ids([name for name, _ in ids])
        changed = [(name, number) for name, number in ids if before.get(name) != number]
        self.report.moved += sum(name in before for name, _ in changed)
        if changed:
            with catalogue.transaction():
                catalogue.set_ids(changed)

    def _has_room(self) -> bool:
        """Whether the budget has room for the states of another window."""
        return has_room(self._store, self._settings.states_budget, self._finished.states_size)

    def _encode_groups(self, at_least: int, watch: Watch, stop: Stop) -> None:
        for columns, waiting in self._queue.take(at_least):
            for start in range(0, len(waiting), self._window):
                left = waiting[start : start + self._window]
                hurried = True
                while left and not stop():
                    # On a slow encoder a window takes minutes: what is done by then is committed, the rest goes on.
                    before = len(left)
                    left = self._encode(columns, left, watch, (lambda: stop() or self._is_late()) if hurried else stop)
                    self._commit_if_due()
                    hurried = len(left) < before  # a text of thousands of windows is given the time that it takes
                if stop():
                    return

    def _encode(
        self, columns: tuple[ColumnName, ...], waiting: list[Waiting], watch: Watch, stop: Stop
    ) -> list[Waiting]:
        """Encode texts as far as `stop` lets it; returns those that are left."""
        if not self._states.isdisjoint(columns) and not self._has_room():
            columns = tuple(name for name in columns if name not in self._states)
            self.report.unkept += len(waiting)
        if not columns:
            return []
        texts = [entry.text for entry in waiting]
        done = np.ones(len(waiting), np.bool_)
        failed: set[int] = set()
        found: dict[ColumnName, Vectors | list[Vectors]] = {}
        by_encoder: dict[str, list[ColumnName]] = {}
        for name in columns:
            by_encoder.setdefault(name.encoder, []).append(name)
        # Windows of states are small: what earlier ones had counts where an encoder is only measured for many texts.
        self._shown = [*self._shown, *texts][-max(len(texts), WORTH_MEASURING) :]
        encoders = {name: self._opened(name, own, self._shown) for name, own in by_encoder.items()}
        self.enter(ENCODING)
        passes = passes_of(encoders, by_encoder)
        progress = _Progress(self, waiting, watch, passes=len(passes))
        for one in passes:
            for member in one.names:
                add_missing_columns(self._store, self._writer, encoders[member], by_encoder[member], texts)
            distinct = list(dict.fromkeys(one.readouts.values()))
            started = time.monotonic()
            encoded = encode_texts(one.encoder, texts, distinct, stop, progress.tick)
            self.report.encoding_seconds += time.monotonic() - started
            done &= encoded.done
            failed.update(encoded.failures)
            outputs: dict[Readout, Any] = {**encoded.vectors, **encoded.states}
            found |= {column: outputs[readout] for column, readout in one.readouts.items()}
            self.report.cut += int(encoded.cut[encoded.done].sum())
            self._record(
                Fault(waiting[at].source, waiting[at].position, next(iter(waiting[at].ids), None), reason)
                for at, reason in encoded.failures.items()
            )
        progress.settle(int(done.sum()))
        chosen = np.flatnonzero(done)
        if len(chosen):
            rows = {
                name: [vectors[at] for at in chosen] if isinstance(vectors, list) else vectors[chosen]
                for name, vectors in found.items()
            }
            self._finished.add(columns, [waiting[at] for at in chosen], rows)
        return [entry for at, entry in enumerate(waiting) if not done[at] and at not in failed]

    def _is_late(self) -> bool:
        return time.monotonic() - self._committed > self._settings.segment_seconds

    def _commit_if_due(self) -> None:
        if self._is_late() or self._finished.size >= self._segment_bytes:
            self._commit()

    def _commit(self) -> None:
        before = self._finished.moved
        self._finished.commit()
        self.report.moved += self._finished.moved - before
        self._readers = None
        self._committed = time.monotonic()

    def _record(self, faults: Iterable[Fault]) -> None:
        found = list(faults)
        if not found:
            return
        self.report.n_faults += len(found)
        self.report.faults += found[: max(0, SHOWN_FAULTS - len(self.report.faults))]
        with self._store.catalogue.transaction():
            self._store.catalogue.add_faults((fault.source, fault.position, fault.id, fault.reason) for fault in found)

    def enter(self, phase: str) -> None:
        """Begin a phase: loading the encoder, trying backends, encoding, or "" at the end."""
        now, report = time.monotonic(), self.report
        if phase == report.phase:
            return
        if report.phase:
            report.phase_seconds[report.phase] = report.phase_seconds.get(report.phase, 0.0) + now - self._entered
        report.phase, self._entered = phase, now
        self.tell(self._watch)

    def tell(self, watch: Watch) -> None:
        """Report what has been done so far."""
        self.report.seconds = time.monotonic() - self._began
        watch(self.report)


def has_room(store: Store, budget: int | None, waiting: int = 0) -> bool:
    """Whether a budget has room for more states, beside those that are banked and those that wait for their commit."""
    if budget is None:
        return True
    there = store.catalogue.columns()
    banked = sum(store.reader(name).n_bytes for name, column in there.items() if column.is_ragged)
    return banked + waiting < budget


def _id(block: TextBlock, offset: int) -> int | str | None:
    return None if block.ids is None else plain_id(block.ids[offset])


class _Progress:
    """Counts texts of a window while its batches pass; several encoders, or windows of a text, count a text once."""

    def __init__(self, run: EncodeRun, waiting: Sequence[Waiting], watch: Watch, passes: int) -> None:
        self._run, self._texts, self._watch, self._passes = run, len(waiting), watch, passes
        self._counter = "new" if waiting[0].number is None else "completed"
        self._rows = self._counted = 0

    def tick(self, rows: int) -> None:
        self._rows += rows
        self.settle(min(self._texts, self._rows // self._passes))
        self._run.tell(self._watch)

    def settle(self, texts: int) -> None:
        report = self._run.report
        setattr(report, self._counter, getattr(report, self._counter) + texts - self._counted)
        self._counted = texts
