"""`embank baseline`: what one would do without a bank, on the same split and with the same loop."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _console as console
from embank.cli import _training as training
from embank.cli._bundles import command
from embank.cli._flags import (
    COMPUTE,
    ROWS,
    TASK,
    TRAINING,
    EncoderPlace,
    Format,
    Kind,
    MaxTokens,
    PairColumn,
    Printed,
    WordsColumn,
    argument,
    flag,
    listed,
)
from embank.cli._labels import DEFAULT_TEXT, LabelFiles
from embank.cli.fit import print_report
from embank.optional import load

if TYPE_CHECKING:
    from embank.fit.finetune import FineTuned, FineTuneData

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
    text: Annotated[str | None, flag(ROWS, "--text", metavar="COL", help="Column of texts.", default=DEFAULT_TEXT)] = (
        None
    )
    words: WordsColumn = None
    pair: PairColumn = None
    kind: Kind = "auto"
    test: Annotated[
        Path | None, flag(ROWS, "--test", metavar="FILE", help="Rows to score the outcome on, of the same columns.")
    ] = None
    format: Format = None

    def files(self, files: list[Path]) -> LabelFiles:
        """The files, and what their columns are."""
        return LabelFiles(
            files=files,
            label=self.label,
            text=self.text,
            words=self.words,
            pair=self.pair,
            as_format=self.format,
        )


@dataclass(frozen=True, kw_only=True)
class Model:
    """Which encoder is trained."""

    encoder: EncoderPlace = "minilm"
    max_tokens: MaxTokens = None
    local_files_only: Annotated[
        bool, flag(COMPUTE, "--local-files-only", help="Download nothing: use encoders that are here already.")
    ] = False

    def opened(self) -> Any:
        """The encoder, in torch and float32."""
        opening = load("embank.encoders.load", "torch")
        reading = embank.ReadingOptions(max_tokens=self.max_tokens)
        located = opening.locate(self.encoder, reading, local_files_only=self.local_files_only)
        return opening.open_encoder(located, "torch", "float32", Path.home() / ".cache" / "embank")


@dataclass(frozen=True, kw_only=True)
class StudentFlags:
    """What the student is, and what it learns of its teacher."""

    layers: Annotated[
        int,
        flag(TRAINING, "--layers", help="Layers of the student: the encoder's first, its last, others between them."),
    ] = 2
    student_layers: Annotated[
        str | None,
        flag(
            TRAINING,
            "--student-layers",
            metavar="N,...",
            help="Their numbers, from 0, instead of --layers, as in 0,5.",
        ),
    ] = None
    temperature: Annotated[
        float,
        flag(TRAINING, "--temperature", help="Softens the outputs of teacher and student where they are compared."),
    ] = 2.0
    hidden_weight: Annotated[
        float,
        flag(TRAINING, "--hidden-weight", help="Weight of the distance between their states; 0 leaves states out."),
    ] = 1.0
    label_weight: Annotated[
        float,
        flag(TRAINING, "--label-weight", help="Share of the labels' own loss; the teacher's outputs have the rest."),
    ] = 0.5


@command(app, FINETUNE_EXAMPLES)
def finetune(
    files: Files,
    rows: LabelledTexts,
    model: Model,
    loop: training.Loop,
    printed: Printed,
    checkpoint: Annotated[
        Path | None,
        flag(TRAINING, "--checkpoint", metavar="FILE", help="Keeps training here, to go on after a stop."),
    ] = None,
) -> None:
    """Fine-tune all layers of an encoder for one task.

    Says how good and how fast that is.
    """
    labelled = rows.files(files)
    finetuning = load("embank.fit.finetune", "torch")
    given = labelled.read()
    opened = model.opened()
    given_rows = _rows(labelled, given, rows)
    with training.progress(quiet=printed.silent) as watch:
        tuned = finetuning.finetune(opened, given_rows, loop.settings(), checkpoint, watch)
    if printed.as_json:
        console.print_json(_record(tuned))
    elif not printed.quiet:
        _print(tuned)


@command(app, STUDENT_EXAMPLES)
def student(
    files: Files,
    rows: LabelledTexts,
    model: Model,
    asked: StudentFlags,
    loop: training.Loop,
    printed: Printed,
    checkpoint: Annotated[
        Path | None,
        flag(
            TRAINING,
            "--checkpoint",
            metavar="FILE",
            help="Keeps the teacher's training here and the student's beside it (FILE.student), to go on after a stop.",
        ),
    ] = None,
) -> None:
    """Distil a fine-tuned encoder into a student of few layers.

    Says how good and how fast both are.
    """
    labelled = rows.files(files)
    students = load("embank.distill.task_student", "torch")
    wanted = students.StudentSettings(
        layers=asked.layers,
        temperature=asked.temperature,
        hidden_weight=asked.hidden_weight,
        label_weight=asked.label_weight,
        chosen=_numbers(asked.student_layers),
    )
    given = labelled.read()
    opened = model.opened()
    given_rows = _rows(labelled, given, rows)
    own = checkpoint and checkpoint.with_name(f"{checkpoint.name}.student")
    keep = students.DistillCheckpoints(checkpoint, own)
    with training.progress(quiet=printed.silent) as watch:
        made = students.distil(opened, given_rows, loop.settings(), wanted, keep, watch)
    if printed.as_json:
        console.print_json({"teacher": _record(made.teacher), "student": _record(made.student)})
    elif not printed.quiet:
        _print(made.teacher)
        _print(made.student)


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


def _rows(files: LabelFiles, given: tuple[list[Any], dict[str, Any]], rows: LabelledTexts) -> "FineTuneData":
    """Rows to train on, as they were read, and those of the file to test on."""
    reading, finetuning = load("embank.labels.read", "torch"), load("embank.fit.finetune", "torch")
    labels, texts = given[0], given[1]["texts"]
    read = reading.read_labels(labels, rows.kind, texts)
    test_texts, test_labels = [], None
    if rows.test is not None:
        found, other = replace(files, files=[rows.test]).read()
        test_texts, test_labels = other["texts"], reading.read_labels(found, read.kind, other["texts"])
    made: FineTuneData = finetuning.FineTuneData(texts, read, test_texts, test_labels)
    return made


def _record(tuned: "FineTuned") -> dict[str, Any]:
    """An outcome, for JSON."""
    speeds = {"seconds_per_pass": tuned.seconds_per_pass, "texts_per_second": tuned.texts_per_second}
    return {**console.fit_record(tuned.report), "test": tuned.test, **speeds}


def _print(tuned: "FineTuned") -> None:
    """An outcome, in words."""
    print_report(tuned.report)
    for name, value in tuned.test.items():
        typer.echo(f"  test {console.MEASURES[name]} {value:.3f}")
    typer.echo(f"  {tuned.seconds_per_pass:.1f} s per pass; predicts {tuned.texts_per_second:,.0f} texts/s")
