"""`embank baseline`: what one would do without a bank, on the same split and with the same loop."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _console as console
from embank.cli import _training as training
from embank.cli._bundles import command
from embank.cli._flags import (
    ROWS,
    TASK,
    TRAINING,
    EncoderPlace,
    Format,
    Kind,
    PairColumn,
    Printed,
    TextOrNone,
    Trained,
    WordsColumn,
    argument,
    flag,
    listed,
)
from embank.cli._labels import LabelFiles
from embank.cli.fit import print_report
from embank.reports.wording import MEASURES

if TYPE_CHECKING:
    from embank import FineTuned, FineTuneData, StudentSettings
    from embank.labels.read import Labels

app = typer.Typer(help="Measure what a task would cost without a bank.", no_args_is_help=True)

FINETUNE_EXAMPLES = (
    "embank baseline finetune train.csv --label topic --test test.csv",
    "embank baseline finetune train.csv --label topic --encoder models/house --epochs 3",
)
STUDENT_EXAMPLES = (
    "embank baseline student train.csv --label topic --layers 2",
    "embank baseline student train.csv --label topic --student-layers 0,5 --test test.csv",
)

Files = Annotated[list[Path], argument("LABELS...", "Files with texts and labels.")]


@dataclass(frozen=True, kw_only=True)
class LabelledTexts:
    """Which rows are trained on and tested."""

    label: Annotated[str, flag(TASK, "--label", metavar="COL", help="Column of labels.")]
    text: TextOrNone = None
    words: WordsColumn = None
    pair: PairColumn = None
    kind: Kind = "auto"
    test: Path | None = ROWS.option(None, "Rows to score the outcome on, of the same columns.", metavar="FILE")
    format: Format = None

    def read(self, files: list[Path]) -> "FineTuneData":
        """Rows to train on, and those of the file to test on.

        Raises:
            UsageError: flags that contradict each other.
            InputError: a file that cannot be read, or lacks a column.
            HeadError: labels that do not fit the kind.
        """
        texts, labels = self._labelled(files, self.kind)
        if self.test is None:
            return embank.FineTuneData(texts, labels)
        return embank.FineTuneData(texts, labels, *self._labelled([self.test], labels.kind))

    def _labelled(self, files: list[Path], kind: str) -> "tuple[list[Any], Labels]":
        labels, given = LabelFiles(
            files=files, label=self.label, text=self.text, words=self.words, pair=self.pair, as_format=self.format
        ).read()
        return given["texts"], embank.read_labels(labels, kind, given["texts"])


@dataclass(frozen=True, kw_only=True)
class Model(Trained):
    """Which encoder is trained."""

    encoder: EncoderPlace = "minilm"


@dataclass(frozen=True, kw_only=True)
class StudentFlags:
    """What the student is, and what it learns of its teacher."""

    layers: int = TRAINING.option(2, "Layers of the student: the encoder's first, its last, others between them.")
    student_layers: str | None = TRAINING.option(
        None, "Their numbers, from 0, instead of --layers, as in 0,5.", metavar="N,..."
    )
    temperature: float = TRAINING.option(2.0, "Softens the outputs of teacher and student where they are compared.")
    hidden_weight: float = TRAINING.option(1.0, "Weight of the distance between their states; 0 leaves states out.")
    label_weight: float = TRAINING.option(0.5, "Share of the labels' own loss; the teacher's outputs have the rest.")

    def settings(self) -> "StudentSettings":
        """Settings of a student.

        Raises:
            UsageError: numbers that no student can have.
        """
        return embank.StudentSettings(
            layers=self.layers,
            temperature=self.temperature,
            hidden_weight=self.hidden_weight,
            label_weight=self.label_weight,
            chosen=_numbers(self.student_layers),
        )


@command(app, FINETUNE_EXAMPLES)
def finetune(
    files: Files,
    rows: LabelledTexts,
    model: Model,
    loop: training.Loop,
    printed: Printed,
    checkpoint: Path | None = TRAINING.option(None, "Keeps training here, to go on after a stop.", metavar="FILE"),
) -> None:
    """Fine-tune all layers of an encoder for one task.

    Says how good and how fast that is.
    """
    given = rows.read(files)
    with training.progress(quiet=printed.silent) as watch:
        tuned = embank.finetune_baseline(
            given,
            loop.settings(),
            encoder=model.encoder,
            options=model.options(),
            checkpoint=checkpoint,
            watch=watch,
        )
    printed.show(_record(tuned), lambda: _print(tuned))


@command(app, STUDENT_EXAMPLES)
def student(
    files: Files,
    rows: LabelledTexts,
    model: Model,
    flags: StudentFlags,
    loop: training.Loop,
    printed: Printed,
    checkpoint: Path | None = TRAINING.option(
        None,
        "Keeps the teacher's training here and the student's beside it (FILE.student), to go on after a stop.",
        metavar="FILE",
    ),
) -> None:
    """Distil a fine-tuned encoder into a student of few layers.

    Says how good and how fast both are.
    """
    wanted = flags.settings()
    given = rows.read(files)
    with training.progress(quiet=printed.silent) as watch:
        made = embank.student_baseline(
            given,
            loop.settings(),
            wanted,
            encoder=model.encoder,
            options=model.options(),
            checkpoint=checkpoint,
            watch=watch,
        )
    both = {"teacher": _record(made.teacher), "student": _record(made.student)}
    printed.show(both, lambda: _print(made.teacher, made.student))


def _numbers(layers: str | None) -> tuple[int, ...]:
    """Numbers of layers, as a user writes them.

    Raises:
        UsageError: a part is no number.
    """
    parts = listed(layers)
    strange = [part for part in parts if not part.isdecimal()]
    if strange:
        raise embank.errors.UsageError(f"malformed --student-layers {layers!r}: write numbers from 0, as in 0,5")
    return tuple(map(int, parts))


def _record(tuned: "FineTuned") -> dict[str, Any]:
    """An outcome, for JSON."""
    speeds = {"seconds_per_pass": tuned.seconds_per_pass, "texts_per_second": tuned.texts_per_second}
    return {**console.fit_record(tuned.report), "test": tuned.test, **speeds}


def _print(*all_tuned: "FineTuned") -> None:
    """Outcomes, in words."""
    for tuned in all_tuned:
        print_report(tuned.report)
        for name, value in tuned.test.items():
            typer.echo(f"  test {MEASURES[name]} {value:.3f}")
        typer.echo(f"  {tuned.seconds_per_pass:.1f} s per pass; predicts {tuned.texts_per_second:,.0f} texts/s")
