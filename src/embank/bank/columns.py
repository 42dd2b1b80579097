"""The columns of a bank: filled, read, learned, measured, exported."""

from collections.abc import Callable, Iterable, Sequence, Sized
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from embank.arrays import Vectors
from embank.bank.folder import BankFolder
from embank.encode import EncodeReport, Stop, Watch, blocks_of
from embank.encode.external import put_vectors
from embank.encode.states_cost import SAMPLE, Verdict
from embank.evaluate.retrieval import JudgedQueries, RetrievalReport, evaluate_retrieval
from embank.evaluate.sts import StsReport, evaluate_sts
from embank.export.files import ExportReport, export
from embank.fit.fit import LabelledTexts
from embank.models.pooling_design import PoolingSettings
from embank.optional import missing_extra
from embank.recipe import ColumnName
from embank.reports.progress import watched
from embank.search.queries import query_vectors
from embank.training.settings import TrainingWatch

if TYPE_CHECKING:
    from embank.distill.settings import ProjectionReport, ProjectionSettings
    from embank.distill.teacher import DistilledFrom, Teacher
    from embank.fit.pooling import LearnedColumn


class BankColumns(BankFolder):
    """A bank's folder with what is done to its columns."""

    # columns that encoders fill, or the user
    def encode(  # noqa: PLR0913 - the flat face: every argument but the first has a default and goes by name
        self,
        texts: Iterable[Any],
        *,
        ids: Sequence[Any] | None = None,
        columns: Sequence[str] = (),
        encoder: str | None = None,
        codec: str | None = None,
        states: int | Literal["auto"] | None = None,
        weighed: Callable[[Verdict], None] | None = None,
        keep_text: bool = False,
        progress: bool = False,
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
            states: store the states of this layer as well, at float16, for tails to start from. "auto" takes half of
                the depth if reading them from this disk beats computing them again, measured on the first texts;
                otherwise no states are stored, unless `columns` names them.
            weighed: called with what was measured of `states`.
            keep_text: keep the texts themselves, compressed.
            progress: show a bar on a terminal or in a notebook, elsewhere a line now and then.
            watch: progress callback, called after every batch.
            stop: called after every batch: whether to stop early.

        Raises:
            UsageError: unknown column, codec or layer.
            EncoderError: the encoder cannot be found or loaded.
            EncoderChangedError: the bank knows an encoder of that name that reads texts differently.
            BankLockedError: another writer holds the bank.
            StorageFullError: no space is left; what was committed is kept.
        """
        wanted, blocks = self.session.wanted(columns, encoder, codec), blocks_of(texts, ids)
        first = next(blocks, None) if states == "auto" or (states is not None and weighed is not None) else None
        if first is not None:
            blocks = chain([first], blocks)
            verdict = self.weigh_states(first.texts[:SAMPLE], None if states == "auto" else states, encoder)
            if weighed is not None:
                weighed(verdict)
            if states == "auto" and verdict.banks:
                states = ColumnName.parse(verdict.column).layer
            elif states == "auto" and not columns:  # this holds for columns of states that the bank has, too
                wanted = [column for column in wanted if not column.is_states] or wanted
        if isinstance(states, int):
            wanted = list(dict.fromkeys([*wanted, self.session.states_column(wanted[0].encoder, states)]))
        rows = len(texts) if isinstance(texts, Sized) else None
        with watched("encoding", watch, rows, on=progress) as told:
            return self.session.fill(wanted, blocks, keep_text=keep_text, watch=told, stop=stop)

    def encode_kept(
        self, columns: Sequence[str], *, watch: Watch = lambda _: None, stop: Stop = lambda: False
    ) -> EncodeReport:
        """Fill columns for all texts that the bank kept (`keep_text`); a UsageError if it kept none."""
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
            UsageError: the numbers of texts and vectors differ, or the column's encoder is one that Embank runs.
        """
        return put_vectors(self.session.store, ColumnName.parse(column), texts, vectors, ids)

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
            UsageError: unknown column, an id that the bank does not have, or a text that cannot be encoded.
        """
        return self.session.vectors([columns] if isinstance(columns, str) else columns, texts, ids)

    def queries(self, texts: Sequence[Any], column: str) -> Vectors:
        """Vectors of texts as a column would hold them, `[texts, width]`; the bank is only read."""
        return query_vectors(self.session, column, texts)

    # columns that are learned

    def learn_pooling(
        self,
        name: str,
        labels: Sequence[Any],
        texts: Sequence[Any],
        settings: PoolingSettings,
        train_watch: TrainingWatch = lambda _: None,
    ) -> "LearnedColumn":
        """Learn how states become vectors, for one task; `fill_pooling` then writes the column.

        Texts whose states the bank lacks are encoded first.

        Args:
            name: what to call the pooling; its column's name begins with it.
            labels: one per text: a class, a list of labels, or a number; None for no label.
            texts: the labelled texts.
            settings: design, kind, columns of states, training.
            train_watch: called after every step.

        Raises:
            UsageError: columns that do not fit the design, or unequal numbers of texts and labels.
            HeadError: too few labels, or one class only.
        """
        with missing_extra("torch"):
            from embank.fit.pooling import learn_pooling
        return learn_pooling(self.session, name, LabelledTexts(labels, texts), settings, train_watch)

    def fill_pooling(self, column: str, texts: Sequence[Any] | None = None) -> EncodeReport:
        """Write pooled vectors of texts into a learned pooling's column; what has its vector is not computed again.

        Args:
            column: as `learn_pooling` named it; another codec may follow the @.
            texts: these, which are encoded first where the bank lacks their states; None is every text that has states
                in all of the pooling's columns.

        Raises:
            HeadError: the bank keeps no such pooling, or its states are of another recipe than those it was learned on.
            UsageError: unknown column of states.
        """
        with missing_extra("torch"):
            from embank.fit.pooling import fill_pooling
        return fill_pooling(self.session, column, texts)

    def distill(
        self,
        texts: Sequence[Any],
        out: str | Path,
        settings: "ProjectionSettings",
        made_of: "DistilledFrom",
        *,
        watch: Watch = lambda _: None,
        train_watch: TrainingWatch = lambda _: None,
    ) -> "ProjectionReport":
        """Distil a teacher into a small student of few dimensions; its folder is an encoder.

        The teacher's vectors are banked first. Called again after a kill, training goes on from its checkpoint.

        Args:
            texts: unlabelled; each counts once, and what cannot be encoded is left out.
            out: a folder that is not there yet.
            settings: width, losses, training.
            made_of: teacher and student.
            watch: progress callback while the teacher encodes.
            train_watch: called after every step.

        Raises:
            UsageError: the folder is there, too few texts, or a teacher of fewer dimensions.
            HeadError: training went astray.
            EncoderError: an encoder cannot be found.
        """
        return self._teacher().distill(texts, Path(out), settings, made_of, watch=watch, train_watch=train_watch)

    def fill_student_space(self, student: str | Path, column: str | None = None, codec: str = "int8") -> str:
        """Map a teacher's stored vectors to the space of its student, so that the student's queries search them.

        Args:
            student: the folder of a distilled student.
            column: the teacher's column; None: the finest that the student was distilled from.
            codec: the precision of the new column.

        Returns:
            The new column's name.

        Raises:
            UsageError: unknown column, or one of other vectors than the student learned.
            EncoderError: the folder is no distilled student.
        """
        return self._teacher().fill_student_space(Path(student), column, codec)

    def _teacher(self) -> "Teacher":
        with missing_extra("torch"):
            from embank.distill.teacher import Teacher
        return Teacher(self.session)

    # columns that are measured

    def evaluate_sts(self, column: str, pairs: Sequence[tuple[Any, Any]], grades: Sequence[Any]) -> StsReport:
        """Measure a column on graded pairs (semantic textual similarity): rank correlation of cosine and grade.

        Texts that the bank lacks are encoded and banked, and read as stored.

        Args:
            column: its name.
            pairs: two texts each.
            grades: numbers, higher for more alike; None for no grade.

        Raises:
            UsageError: unequal numbers, a grade that is no number, or fewer than two pairs that can be measured.
        """
        return evaluate_sts(self.session, column, pairs, grades)

    def evaluate_retrieval(self, column: str, judged: JudgedQueries, rescored: str = "") -> RetrievalReport:
        """Measure a column on queries with known answers: nDCG@10 and recall@100.

        Texts of the corpus that the bank lacks are encoded and banked, queries are not. The column is searched as
        `search` does it, but a binary one is a first pass only where `rescored` says so.

        Args:
            column: its name.
            judged: corpus, queries, and what is relevant.
            rescored: a column that orders ten times as many texts of a first pass over the other one; "": none.

        Raises:
            UsageError: nothing to search, or no query with something relevant; columns of vectors of unequal width.
        """
        return evaluate_retrieval(self.session, column, judged, rescored)

    # for other tools

    def export(self, out: str | Path, kind: str, column: str | None = None) -> ExportReport:
        """Write a column's vectors, decoded to float32, in order of the texts' numbers, for other tools.

        `parquet` has the columns `id` and `vector`; `npy`, `usearch` and `faiss` have the ids in a second file,
        `NAME.ids.npy`, in the order of rows and keys.

        Args:
            out: the file.
            kind: parquet, npy, usearch or faiss.
            column: its name; None: the one that a search takes.

        Raises:
            UsageError: an unknown kind, unknown column, or a place that cannot be written to.
            ExtraMissingError: usearch or faiss is not installed.
            StorageFullError: no space is left; nothing is left behind.
        """
        return export(self.session, out, kind, column)
