"""The bank: what a user holds. One folder, its columns, its tasks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from embank.arrays import Vectors
from embank.bank.columns import BankColumns
from embank.dedup import DedupSettings
from embank.dedup.find import Duplicates
from embank.dedup.grouping import Progress
from embank.encode import TextBlock, Watch, blocks_of
from embank.fit import FitSettings
from embank.fit.fit import LabelledTexts, fit, refit
from embank.fit.report import FitReport
from embank.optional import missing_extra
from embank.plan import Plan, PlanSettings, PlanWatch
from embank.predict.predict import Predictor, Table
from embank.reports.progress import watched
from embank.search import SearchSettings
from embank.search.search import search
from embank.training.settings import TrainingWatch


class Bank(BankColumns):
    """A folder that is a table: texts are its rows, representations its columns; it also holds tasks and heads.

    >>> bank = Bank.create("messages")  # doctest: +SKIP
    >>> bank.encode(["no heat since Friday", "thanks, all fine"])  # doctest: +SKIP
    >>> bank.fit("urgent", ["yes", "no"], texts=[...])  # doctest: +SKIP
    >>> bank.predict(["where is my parcel?"]).to_pandas()  # doctest: +SKIP
    """

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
        progress: bool = False,
        watch: Watch = lambda _: None,
        train_watch: TrainingWatch = lambda _: None,
    ) -> FitReport:
        """Fit a task on banked columns; texts that the bank lacks are encoded first.

        Args:
            task: its name; a task of that name is replaced.
            labels: one per text: a class, a list of labels, or a number; None for no label.
            texts: the labelled texts (pairs for a task that reads two texts together), or
            ids: what you called them when they were encoded.
            seconds: for a task that reads two texts apart (`FitSettings(reads="apart")`), the second ones.
            settings: kind, columns, class weights, seed; a tail.
            progress: show a bar on a terminal or in a notebook, elsewhere a line now and then.
            watch: progress callback while texts are encoded.
            train_watch: progress callback while a tail is trained, called after every step.

        Raises:
            UsageError: neither texts nor ids, unequal lengths, an unknown column or kind.
            HeadError: too few labels, or one class only.
        """
        given = LabelledTexts(labels, texts, ids, seconds)
        chosen = settings or FitSettings()
        encodes = progress and chosen.tail is None
        with (
            watched("encoding", watch, len(labels), on=encodes) as told,
            watched("training", train_watch, on=progress and not encodes) as trained,
        ):
            return fit(self.session, task, given, chosen, told, trained)

    def refit(self, task: str, *, train_watch: TrainingWatch = lambda _: None) -> FitReport:
        """Fit a task again on the labels and the split that the bank kept, for example after columns were added.

        Raises:
            UsageError: unknown task.
        """
        return refit(self.session, task, train_watch)

    def plan(
        self,
        texts: Sequence[Any],
        labels: Mapping[str, Sequence[Any]],
        settings: PlanSettings | None = None,
        watch: PlanWatch = lambda _: None,
    ) -> Plan:
        """Measure ways to serve tasks on this machine and these texts, and name the best; the bank is only read.

        Args:
            texts: the labelled texts, or pairs.
            labels: of each task by its name, one per text; None for no label.
            settings: numbers of tasks and texts, tolerance, minutes.
            watch: progress callback, called with what is being measured, in words.

        Raises:
            UsageError: no labels, or unequal lengths.
            HeadError: one class only, or too few labels.
        """
        with missing_extra("torch"):
            from embank.plan.run import make_plan
        return make_plan(self.session, texts, labels, settings or PlanSettings(), watch)

    def predict(
        self,
        texts: Sequence[Any] | None = None,
        *,
        seconds: Sequence[Any] | None = None,
        tasks: Sequence[str] = (),
        proba: bool = False,
        progress: bool = False,
    ) -> pa.Table:
        """Predict tasks, all of them in one pass.

        Args:
            texts: these texts, one row each, in their order; what the bank lacks is encoded and added. None is every
                text of the bank.
            seconds: second texts, for tasks that read two apart.
            tasks: names; empty is all.
            proba: add the probabilities of all classes.
            progress: show a bar on a terminal or in a notebook, elsewhere a line now and then.

        Returns:
            `id`, then for each task its label under its name (a list for several, a number for a regression) and
            `<task>_score`, the calibrated probability; null where a text could not be encoded.

        Raises:
            UsageError: unknown task.
            HeadError: a column that a task reads has gone or changed.
        """
        blocks = None if texts is None else blocks_of(texts, None)
        others = None if seconds is None else blocks_of(seconds, None)
        rows = None if texts is None else len(texts)
        with watched("predicting", lambda _: None, rows, on=progress) as told:
            answered = self.answer(blocks, seconds=others, tasks=tasks, proba=proba, watch=told)
            tables = [pa.table(block) for block in answered]
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
            watch: progress callback, called after each block with what was encoded so far.
        """
        self._predictor = Predictor(self.session, tasks, apart=seconds is not None)
        return self._predictor.tables(blocks, seconds, proba=proba, watch=watch)

    @property
    def states_counts(self) -> tuple[int, int]:
        """Texts whose states tails have read, and computed, in the last prediction."""
        return self._predictor.states_counts if self._predictor else (0, 0)

    # searching, comparing

    def search(
        self, queries: Sequence[Any] | Vectors, settings: SearchSettings | None = None, *, ids: Sequence[Any] = ()
    ) -> pa.Table:
        """The closest texts of each query, by cosine; nothing is added but what makes the next search quicker.

        Args:
            queries: texts, or pairs, or vectors float32 `[queries, width]`. A text that the bank has is searched with
                its stored row; others are encoded and not banked.
            settings: k, column, filters, exact or approximate.
            ids: what the queries are called; left out, they are numbered from 0.

        Returns:
            `query`, `rank` (from 1), `id` (the first one of the text, or its hash), `score` (higher is closer), and
            `text` where the bank keeps any of these texts; pairs as lists of two.

        Raises:
            UsageError: unknown column, task or label; a query that cannot be encoded or compared.
            HeadError: a task of a filter no longer fits the bank.
            ExtraMissingError: an approximate search without usearch.
        """
        return search(self.session, queries, settings or SearchSettings(), ids)

    def dedup(self, settings: DedupSettings | None = None, progress: Progress = lambda *_: None) -> Duplicates:
        """Find texts that are nearly the same, and ids of the same text; a second run compares new texts only.

        Args:
            settings: threshold and column.
            progress: called with the number of texts that have been compared, and that are to be compared.

        Raises:
            UsageError: unknown column, or one of states.
            ExtraMissingError: an approximate run without usearch.
        """
        return Duplicates(self.session, settings or DedupSettings(), progress)
