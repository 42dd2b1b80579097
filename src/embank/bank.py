"""The bank: what a user holds. One folder, its columns, its tasks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa

from embank.arrays import Vectors
from embank.asking import labelled, numbered
from embank.encode import EncodeReport, Stop, TextBlock, Watch
from embank.encode.blocks import blocks_of
from embank.encode.external import put_vectors
from embank.encode.states_cost import Verdict
from embank.errors import UsageError
from embank.fit import FitReport, FitSettings
from embank.fit.heads import fit_task, refit_task
from embank.labels.kinds import APART
from embank.lending import Lending
from embank.planning import Plan, PlanSettings, Telling
from embank.planning.running import Request, make_plan
from embank.predict.load import TAIL, load_tasks
from embank.predict.predict import Table, answer_all, answer_rows
from embank.querying import full_name, query_vectors
from embank.recipe import ColumnName
from embank.session import BankOptions, Encoders
from embank.store import Damage
from embank.store.cache import sweep
from embank.store.catalogue import UNKNOWN
from embank.store.deletion import drop_column, drop_task, drop_texts
from embank.store.folder import Store, is_bank
from embank.store.summary import BankSummary, TaskSummary, summarise, summarise_tasks
from embank.store.vectors import vectors as stored_vectors
from embank.store.verify import Progress, verify
from embank.training.settings import TrainingWatch


class Bank:
    """A folder that is a table: texts are its rows, representations its columns; it also holds tasks and heads.

    >>> bank = Bank.create("messages")  # doctest: +SKIP
    >>> bank.encode(["no heat since Friday", "thanks, all fine"])  # doctest: +SKIP
    >>> bank.fit("urgent", ["yes", "no"], texts=[...])  # doctest: +SKIP
    >>> bank.predict(["where is my parcel?"]).to_pandas()  # doctest: +SKIP
    """

    def __init__(self, store: Store, options: BankOptions) -> None:
        """Hold an open store; use `Bank.create` or `Bank.open`."""
        self._store = store
        self.session = Encoders(store, options)
        self._lending = Lending(store, self.session)

    @classmethod
    def create(cls, path: str | Path, options: BankOptions | None = None) -> Self:
        """Make an empty bank.

        Args:
            path: a folder that is empty or not there yet.
            options: how encoders read and compute; the defaults serve nearly everybody.

        Raises:
            BankExistsError: a bank is there already.
            NotABankError: the folder holds something else.
        """
        return cls(Store.create(Path(path)), options or BankOptions())

    @classmethod
    def open(cls, path: str | Path, options: BankOptions | None = None) -> Self:
        """Open a bank.

        Raises:
            NotABankError: there is none.
            FormatError: it was made by a newer Embank.
        """
        return cls(Store(Path(path)), options or BankOptions())

    @classmethod
    def open_or_create(cls, path: str | Path, options: BankOptions | None = None) -> Self:
        """Open a bank, or make it where there is none."""
        return cls.open(path, options) if is_bank(Path(path)) else cls.create(path, options)

    @property
    def path(self) -> Path:
        """The folder."""
        return self._store.root

    def close(self) -> None:
        """Close the catalogue. Leaving a `with` block does it too."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Bank({str(self.path)!r})"

    def __len__(self) -> int:
        """How many distinct texts the bank has."""
        return self._store.catalogue.n_texts()

    # encoding

    def encode(  # noqa: PLR0913 - the flat face: every argument but the first has a default and goes by name
        self,
        texts: Iterable[Any],
        *,
        ids: Sequence[Any] | None = None,
        columns: Sequence[str] = (),
        encoder: str | None = None,
        codec: str | None = None,
        states: int | None = None,
        keep_text: bool = False,
        watch: Watch = lambda _: None,
        stop: Stop = lambda: False,
    ) -> EncodeReport:
        """Encode texts into columns; what the bank has already is not encoded again.

        Args:
            texts: strings, or pairs of strings that are read together; any iterable, also of `TextBlock`. What cannot
                be encoded is recorded in the report and does not stop the run.
            ids: what you call them, one each; integers or strings.
            columns: names such as "minilm/4/mean@int8". Left out, the bank's own columns are filled; a bank that has
                none gets the encoder's defaults.
            encoder: "minilm", a folder, or a hub name; "NAME=FOLDER" names it.
            codec: precision of default columns: "float32", "float16", "int8", "int4" or "binary".
            states: keep the states of this layer as well, at float16, for tails to start from.
            keep_text: keep the texts themselves, compressed.
            watch: told of progress after every batch.
            stop: asked after every batch whether to stop early.

        Raises:
            UsageError: a column, codec or layer that there is not.
            EncoderError: the encoder cannot be found or loaded.
            EncoderChangedError: the bank knows an encoder of that name that reads texts differently.
            BankLockedError: another writer holds the bank.
            StorageFullError: no space is left; what was committed is kept.
        """
        wanted = self.session.wanted(columns, encoder, codec)
        if states is not None:
            wanted = list(dict.fromkeys([*wanted, self.session.states_of(wanted[0].encoder, states)]))
        return self.session.fill(wanted, blocks_of(texts, ids), keep_text=keep_text, watch=watch, stop=stop)

    def encode_kept(
        self, columns: Sequence[str], *, watch: Watch = lambda _: None, stop: Stop = lambda: False
    ) -> EncodeReport:
        """Fill columns for all texts that the bank kept (`keep_text`); a UsageError where it kept none."""
        wanted = self.session.wanted(columns, None, None)
        return self.session.fill(wanted, self.session.kept_blocks(), watch=watch, stop=stop)

    def weigh_states(self, texts: Sequence[Any], layer: int | None = None, encoder: str | None = None) -> Verdict:
        """Measure whether reading states from this disk beats recomputing them, and what they would weigh.

        Args:
            texts: some of those that will be encoded; a hundred are enough.
            layer: whose states; None is half of the depth.
            encoder: "minilm", a folder, or a hub name; left out, the bank's own.
        """
        return self.session.weigh_states(texts, layer, encoder)

    def put(
        self, texts: Sequence[Any], vectors: Vectors, column: str, *, ids: Sequence[Any] | None = None
    ) -> EncodeReport:
        """Bank vectors that were made elsewhere; heads, search and all else work on them as on any column.

        Args:
            texts: what they are vectors of; texts that have a row in this column keep it.
            vectors: float32 `[texts, width]`.
            column: a name such as "mine/0/own@int8"; its encoder must not be one that Embank runs itself.
            ids: what you call the texts.

        Raises:
            UsageError: the numbers of texts and vectors differ, or the column's encoder is a real one.
        """
        return put_vectors(self._store, ColumnName.parse(column), texts, vectors, ids)

    def vectors(
        self, columns: str | Sequence[str], texts: Sequence[Any] | None = None, *, ids: Sequence[Any] | None = None
    ) -> Vectors:
        """Float32 vectors of columns, side by side.

        Args:
            columns: one name or several.
            texts: for these texts, in their order; what the bank lacks is encoded on the way. None is all of them.
            ids: for texts by what you call them.

        Returns:
            `[texts, sum of widths]`.

        Raises:
            UsageError: no such column, an id that the bank does not have, or a text that cannot be encoded.
        """
        names = [columns] if isinstance(columns, str) else list(columns)
        names = self.session.written_out(names)
        if texts is not None:
            numbers = self.session.numbers_in(TextBlock("texts", 0, texts), names)
        elif ids is not None:
            numbers = self.session.numbers_of_ids(ids)
            lost = np.flatnonzero(numbers == UNKNOWN)
            if len(lost):
                raise UsageError(f"{len(lost)} ids are not in {self.path}, the first is {ids[lost[0]]!r}")
        else:
            numbers = self._store.reader(names[0]).covered()
        return stored_vectors(self._store, names, numbers)

    def queries(self, texts: Sequence[Any], column: str) -> Vectors:
        """Vectors of texts as a column would hold them, `[texts, width]`; the bank is only read."""
        return query_vectors(self.session, column, texts)

    def written_out(self, column: str | None) -> str:
        """The full name of a column: its codec, and what `own` stands for; of None, that of the one a search takes."""
        return full_name(self.session, column)

    # tasks

    def fit(  # noqa: PLR0913 - the flat face: every argument but the first two has a default and goes by name
        self,
        task: str,
        labels: Sequence[Any],
        *,
        texts: Sequence[Any] | None = None,
        ids: Sequence[Any] | None = None,
        seconds: Sequence[Any] | None = None,
        settings: FitSettings | None = None,
        watch: Watch = lambda _: None,
        train_watch: TrainingWatch = lambda _: None,
    ) -> FitReport:
        """Fit a task on banked columns; texts that the bank lacks are encoded first.

        Args:
            task: its name; a task of that name is replaced.
            labels: one a text: a class, a list of labels, or a number; None where there is none.
            texts: the labelled texts (pairs for a task that reads two texts together), or
            ids: what you called them when they were encoded.
            seconds: for a task that reads two texts apart (`FitSettings(reads="apart")`), the second ones.
            settings: kind, columns, class weights, seed; a tail.
            watch: told of progress while texts are encoded.
            train_watch: told after every step while a tail is trained.

        Raises:
            UsageError: neither texts nor ids, unequal lengths, an unknown column or kind.
            HeadError: too few labels, or one class only.
        """
        chosen = settings or FitSettings()
        given = labelled(task, labels, (texts, ids, seconds), chosen)
        if chosen.tail is not None:
            return self._lending.fit(task, labels, (texts, ids), chosen, train_watch)
        numbers = self.session.numbers_of(texts, watch) if texts is not None else self.session.numbers_of_ids(given)
        second = None if seconds is None else self.session.numbers_of(seconds, watch)
        return fit_task(self._store, task, labels, (numbers, second), chosen)

    def refit(self, task: str, *, train_watch: TrainingWatch = lambda _: None) -> FitReport:
        """Fit a task again on the labels and the split that the bank kept, for example after columns were added.

        Raises:
            UsageError: no such task.
        """
        known = self._store.catalogue.tasks().get(task)
        if known is not None and TAIL in known.record:
            return self._lending.refit(task, known.record, known.folder, train_watch)
        return refit_task(self._store, task)

    def plan(
        self,
        texts: Sequence[Any],
        labels: Mapping[str, Sequence[Any]],
        settings: PlanSettings | None = None,
        watch: Telling = lambda _: None,
    ) -> Plan:
        """Measure ways to serve tasks on this machine and these texts, and say which one pays; the bank is only read.

        Args:
            texts: the labelled texts, or pairs.
            labels: of each task by its name, one a text; None where there is none.
            settings: numbers of tasks and texts, tolerance, minutes.
            watch: told in words what is being measured.

        Raises:
            UsageError: no labels, or unequal lengths.
            HeadError: one class only, or too few labels.
        """
        return make_plan(self.session, Request(texts, labels, settings or PlanSettings(), watch))

    def predict(
        self,
        texts: Sequence[Any] | None = None,
        *,
        seconds: Sequence[Any] | None = None,
        tasks: Sequence[str] = (),
        proba: bool = False,
    ) -> pa.Table:
        """Predict tasks, all of them in one pass.

        Args:
            texts: these texts, one row each, in their order; what the bank lacks is encoded and added. None is every
                text of the bank.
            seconds: second texts, for tasks that read two apart.
            tasks: names; empty is all.
            proba: add the probabilities of all classes.

        Returns:
            `id`, then for each task its label under its name (a list for several, a number for a regression) and
            `<task>_score`, the calibrated probability; null where a text could not be encoded.

        Raises:
            UsageError: no such task.
            HeadError: a column that a task reads has gone or changed.
        """
        blocks = None if texts is None else blocks_of(texts, None)
        others = None if seconds is None else blocks_of(seconds, None)
        tables = [pa.table(block) for block in self.answer(blocks, seconds=others, tasks=tasks, proba=proba)]
        return pa.concat_tables(tables).unify_dictionaries() if tables else pa.table({})

    def answer(
        self,
        blocks: Iterable[TextBlock] | None,
        *,
        seconds: Iterable[TextBlock] | None = None,
        tasks: Sequence[str] = (),
        proba: bool = False,
        watch: Watch = lambda _: None,
    ) -> Iterator[Table]:
        """Predict as a stream: like `predict`, block by block, for more texts than memory holds.

        Args:
            blocks: the user's rows; None is every text of the bank.
            seconds: blocks of second texts, as long as `blocks`.
            tasks: names; empty is all that fit the rows given.
            proba: add the probabilities of all classes.
            watch: told after each block what was encoded on the way so far.
        """
        loaded = load_tasks(self._store, tasks)
        tails = self._lending.tails(tasks) if seconds is None else self._lending.no_tails(tasks)
        if blocks is None:
            return answer_all(self._store, loaded, proba=proba, tails=tails)
        if seconds is None:
            apart = [task.name for task in loaded if task.reads == APART]
            if apart and (tasks or (len(apart) == len(loaded) and tails is None)):
                raise UsageError(
                    f"task {apart[0]!r} reads two texts apart: give second texts too (--text and --pair-apart)"
                )
        else:
            loaded = [task for task in loaded if task.reads == APART or tasks]
        rows = numbered(self.session, blocks, seconds, watch)
        return answer_rows(self._store, loaded, rows, proba=proba, tails=tails)

    @property
    def states_counts(self) -> tuple[int, int]:
        """Texts whose states tails have read, and computed, in the last prediction."""
        return self._lending.counts

    # looking, checking, forgetting

    def tasks(self) -> list[TaskSummary]:
        """Every task with what it reads and how it scored."""
        return summarise_tasks(self._store)

    def summary(self) -> BankSummary:
        """Texts, columns, bytes, encoders, tasks."""
        return summarise(self._store)

    def verify(self, progress: Progress = lambda _: None) -> list[Damage]:
        """Check every digest and every row; returns all the damage, empty where there is none."""
        return verify(self._store, progress)

    def forget_stale(self) -> int:
        """Drop graphs, groups and lengths that fit nothing any more, as every forgetting does; returns their bytes."""
        return sweep(self._store)

    def forget_task(self, task: str) -> None:
        """Drop a task with its head and labels; a UsageError where there is no such task."""
        drop_task(self._store, task)

    def forget_column(self, column: str) -> list[str]:
        """Drop a column and reclaim its space.

        Returns:
            Tasks that read it, and must be fitted again before they can predict.

        Raises:
            UsageError: no such column.
        """
        return drop_column(self._store, self.written_out(column), lambda: self._lending.encoders)

    def forget_ids(self, ids: Sequence[Any]) -> tuple[int, list[Any]]:
        """Drop texts by id, from every column, and reclaim the space. All ids of a dropped text go with it.

        Returns:
            How many texts were dropped, and the ids that the bank does not have.
        """
        numbers = self.session.numbers_of_ids(ids)
        unknown = [name for name, number in zip(ids, numbers.tolist(), strict=True) if number == UNKNOWN]
        return drop_texts(self._store, numbers), unknown
