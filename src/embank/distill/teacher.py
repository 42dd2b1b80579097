"""Students of a teacher whose vectors a bank holds: distilled, written as a folder, searching the teacher's vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from embank.arrays import Vectors
from embank.codecs.reduction import width_after
from embank.distill.folder import read_space, save_projection
from embank.distill.settings import Origins, ProjectionReport, ProjectionSettings
from embank.distill.vector_student import TeacherVectors, student_of, train_projection
from embank.encode import Watch
from embank.encode.default_columns import resolve
from embank.encode.derived import Derived, fill_derived
from embank.encode.options import BankOptions
from embank.encoders.architectures import ANATOMY
from embank.encoders.load import DEFAULT, Located, locate, open_torch_encoder
from embank.errors import UsageError
from embank.models.encoder_folder import refuse_existing
from embank.recipe import DEFAULT_CODEC, ColumnName
from embank.session import Session
from embank.store import StoredColumn
from embank.store.catalogue import UNKNOWN
from embank.store.folder import Store
from embank.store.vectors import vectors as stored_vectors
from embank.texts import Text
from embank.training.settings import TrainingWatch

_SHOWN = 12
"""Digits of the digest that stand in a column's name."""


@dataclass(frozen=True)
class DistilledFrom:
    """Teacher and student of a distillation; both read texts as the options of the bank say.

    Attributes:
        teacher: "minilm", a folder, a hub name, or the name of one that has moved (`BankOptions.places`).
        student: a folder or a hub name; or the teacher's layers that it keeps: "3" is the first three, "0,2,5" are
            these.
        column: of the teacher's vectors; None: its own pooling of the last layer.
    """

    teacher: str = DEFAULT
    student: str = "3"
    column: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class DistillData:
    """A student that is ready to be distilled.

    Attributes:
        origins: where it comes from.
        student: the encoder that it begins as.
        texts: different ones.
        vectors: the teacher's, `[texts, teacher's width]`, as they are banked.
    """

    origins: Origins
    student: Located
    texts: Sequence[Text]
    vectors: Vectors


class Teacher:
    """Distils from teachers whose vectors a bank holds."""

    def __init__(self, session: Session) -> None:
        """Work on the bank of `session`."""
        self._session = session

    def distill(
        self,
        texts: Sequence[Any],
        out: Path,
        settings: ProjectionSettings,
        made_of: DistilledFrom,
        *,
        watch: Watch = lambda _: None,
        train_watch: TrainingWatch = lambda _: None,
    ) -> ProjectionReport:
        """Bank a teacher's vectors, and distil a student from them; see `prepare` and `distil`."""
        refuse_existing(out)
        return distil(self.prepare(texts, made_of, watch, settings.width), settings, out, train_watch)

    def prepare(
        self, texts: Sequence[Any], made_of: DistilledFrom, watch: Watch = lambda _: None, width: int = 1
    ) -> DistillData:
        """Bank a teacher's vectors; texts that have them are not encoded again.

        Args:
            texts: unlabelled; each counts once, and what cannot be encoded is left out.
            made_of: teacher and student.
            watch: progress callback while texts are encoded.
            width: dimensions that the student is to have.

        Raises:
            UsageError: layers that the teacher does not have, a column that is not the teacher's, or of fewer
                dimensions than the student is to have; nothing was encoded.
            EncoderError: an encoder cannot be found.
            EncoderChangedError: the bank knows another encoder by the teacher's name.
        """
        session = self._session
        teacher = session.encoders.find(made_of.teacher)
        student, layers = _student(teacher, made_of, session.options)
        column = _column(teacher, made_of)
        _check_width(teacher, ColumnName.parse(column), width)
        sound, vectors, stored = _banked(session, column, texts, watch)
        origins = Origins(
            teacher=teacher.origin,
            column=stored.name,
            source=stored.recipe.source,
            student=student.origin,
            layers=layers,
        )
        return DistillData(origins=origins, student=student, texts=sound, vectors=vectors)

    def fill_student_space(self, student: Path, column: str | None = None, codec: str = "int8") -> str:
        """Map a teacher's stored vectors to the space of its student, into a column that is searched with its queries.

        What was mapped before is not mapped again.

        Args:
            student: the folder of a distilled student.
            column: the teacher's column; None: the finest that the student was distilled from, or that holds the same
                vectors.
            codec: the precision of the new column.

        Returns:
            The new column's name. Search it with `student_vectors(student, queries)`.

        Raises:
            UsageError: no such column, or one of other vectors than the student learned.
            EncoderError: the folder is no distilled student.
        """
        space, source = read_space(student)
        digest = blake2b(source.encode() + space.axes.tobytes() + space.centre.tobytes(), digest_size=16).hexdigest()
        store = self._session.store
        stored = _teacher_column(store, source, column)
        name = ColumnName(f"{student.name}-teacher-{digest[:_SHOWN]}", stored.recipe.layer, "own", (), codec)
        texts = store.reader(stored.name).covered()
        derived = Derived(name, digest, f"{stored.name}, in the space of {student.name}")
        fill_derived(store, derived, texts, lambda which: space(stored_vectors(store, [stored.name], texts[which])))
        return str(name)


def distil(
    data: DistillData, settings: ProjectionSettings, out: Path, watch: TrainingWatch = lambda _: None
) -> ProjectionReport:
    """Distil a student, and write it as a folder that is an encoder.

    A checkpoint lies beside the folder until it is written; called again after a kill, it goes on from there.

    Args:
        data: as `Teacher.prepare` gives it.
        settings: width, losses, training.
        out: a folder that is not there yet.
        watch: progress callback, called after every step.

    Raises:
        UsageError: the folder exists, too few texts, or a teacher of fewer dimensions.
        HeadError: training went astray.
    """
    refuse_existing(out)
    encoder = open_torch_encoder(data.student)
    student = student_of(encoder, data.origins.layers)
    out.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = out.with_name(f"{out.name}.training.safetensors")
    teacher = TeacherVectors(data.texts, data.vectors)
    trained = train_projection(student, data.origins, teacher, settings, checkpoint, watch)
    save_projection(student, trained, out)
    checkpoint.unlink(missing_ok=True)
    return trained.report


def _student(teacher: Located, made_of: DistilledFrom, options: BankOptions) -> tuple[Located, tuple[int, ...]]:
    """The encoder that the student begins as, and the layers that it keeps; empty: all."""
    parts = [part.strip() for part in made_of.student.split(",")]
    if not all(part.isdecimal() for part in parts):
        return locate(made_of.student, options.reading, local_files_only=options.local_files_only), ()
    numbers = tuple(map(int, parts))
    layers = numbers if len(numbers) > 1 else tuple(range(numbers[0]))
    if not layers or list(layers) != sorted(set(layers)) or layers[-1] >= teacher.layers:
        raise UsageError(
            f"found a student of {made_of.student} layers; {teacher.name} has {teacher.layers}: write 3 for the first "
            "three, or their numbers from 0, ascending, as in 0,2,5"
        )
    return teacher, layers


def _column(teacher: Located, made_of: DistilledFrom) -> str:
    """The teacher's column: the one that is named, or its own pooling of the last layer."""
    if made_of.column is not None:
        parsed = ColumnName.parse(made_of.column)
        if parsed.is_states or parsed.encoder != teacher.name:
            raise UsageError(f"found the column {parsed}, expected one of vectors of the teacher, {teacher.name}")
    else:
        own = teacher.folder.own
        causal = teacher.folder.family in ANATOMY and ANATOMY[teacher.folder.family].causal
        plain = "last" if causal else "mean"
        pooling = "own" if own is not None and not teacher.folder.unsupported else plain
        parsed = ColumnName(teacher.name, teacher.layers, pooling, (), DEFAULT_CODEC)
    return str(resolve(teacher, [parsed])[0])


def _check_width(teacher: Located, column: ColumnName, width: int) -> None:
    own = teacher.folder.own
    if column.pooling == "own" and own is not None and own.dense:
        return  # a projection of its own decides; that is known once there are vectors
    wide = width_after(column.steps, teacher.width)
    if width > wide:
        raise UsageError(f"found a width of {width}, expected at most {wide}, which the teacher has")


def _banked(
    session: Session, column: str, texts: Sequence[Any], watch: Watch
) -> tuple[list[Text], Vectors, StoredColumn]:
    """Bank a column of texts: the distinct texts that have a row in it, in their order, and their vectors."""
    numbers, contents = session.numbered(texts, session.wanted([column], None, None), watch)
    distinct = np.array(list(dict.fromkeys(numbers[numbers != UNKNOWN].tolist())), np.int64)
    chosen = distinct[session.store.reader(column).has(distinct)]
    vectors = stored_vectors(session.store, [column], chosen)
    return [contents[number] for number in chosen.tolist()], vectors, session.store.column(column)


def _teacher_column(store: Store, source: str, named: str | None) -> StoredColumn:
    """The column of a student's teacher."""
    there = store.catalogue.columns().values()
    if named is not None:
        column = store.column(str(ColumnName.parse(named)))
        if column.recipe.source != source:
            raise UsageError(f"{column.name} holds other vectors than the student was distilled from")
        return column
    fitting = [column for column in there if column.recipe.source == source]
    if not fitting:
        listed = ", ".join(column.name for column in there) or "none"
        raise UsageError(
            f"{store.root} has no column of the teacher's vectors that the student learned, read alike (--max-tokens "
            f"and prompts too); it has: {listed}"
        )
    return max(fitting, key=lambda column: column.cells * np.dtype(column.dtype).itemsize)
