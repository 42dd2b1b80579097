"""`embank baseline`: what one would do without a bank, on the same split and with the same loop."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _console as console
from embank.cli import _flags as flags
from embank.cli import _training as training
from embank.cli._labels import LabelFiles
from embank.cli.fit import print_report
from embank.optional import load

if TYPE_CHECKING:
    from embank.fit.finetune import FineTuned, FineTuneData

app = typer.Typer(help="Yardsticks: what a task would cost without a bank.", no_args_is_help=True)

Files = Annotated[list[Path], typer.Argument(metavar="LABELS...", help="Files with texts and labels.")]
Label = Annotated[str, flags.flag("--label", metavar="COL", help="The column of labels.")]
Text = Annotated[str | None, flags.flag("--text", metavar="COL", help="The column of texts.")]
Kind = Annotated[str, flags.flag("--kind", help="auto, single, multi, regression, tagging or span.")]
Test = Annotated[
    Path | None, flags.flag("--test", metavar="FILE", help="Rows to score the outcome on, of the same columns.")
]
Encoder = Annotated[str, flags.flag("--encoder", help="minilm, a folder, or a hub name (org/model@revision).")]
MaxTokens = Annotated[
    int | None, flags.flag("--max-tokens", help="The longest input; left out, what the encoder's folder says.")
]
Seed = Annotated[int, flags.flag("--seed", help="Of the split and of everything random.")]
Checkpoint = Annotated[
    Path | None, flags.flag("--checkpoint", metavar="FILE", help="Keeps training here, to go on after a stop.")
]


@app.command()
def finetune(
    files: Files,
    label: Label,
    text: Text = None,
    words: flags.WordsColumn = None,
    pair: flags.PairColumn = None,
    kind: Kind = "auto",
    test: Test = None,
    encoder: Encoder = "minilm",
    max_tokens: MaxTokens = None,
    epochs: training.Epochs = None,
    batch: training.BatchSize = 32,
    rate: training.Rate = None,
    patience: training.Patience = 3,
    seed: Seed = 0,
    checkpoint: Checkpoint = None,
    as_format: flags.Format = None,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    local_files_only: flags.Offline = False,
) -> None:
    """Fine-tune all layers of an encoder for one task, and say how good and how fast that is."""
    rows = LabelFiles(files, label, text, words, None, pair, None, as_format)
    finetuning = load("embank.fit.finetune", "torch")
    given = rows.read()
    opened = _opened(encoder, max_tokens, local_files_only=local_files_only)
    given_rows = _rows(rows, given, kind, test)
    loop = embank.TrainingSettings(epochs=epochs, batch=batch, rate=rate, patience=patience, seed=seed)
    with training.progress(quiet=quiet or as_json) as watch:
        tuned = finetuning.finetune(opened, given_rows, loop, checkpoint, watch)
    if as_json:
        typer.echo(json.dumps(_said(tuned), ensure_ascii=False))
    elif not quiet:
        _print(tuned)


@app.command()
def student(
    files: Files,
    label: Label,
    text: Text = None,
    words: flags.WordsColumn = None,
    pair: flags.PairColumn = None,
    kind: Kind = "auto",
    test: Test = None,
    encoder: Encoder = "minilm",
    max_tokens: MaxTokens = None,
    layers: Annotated[
        int, flags.flag("--layers", help="Layers of the student: the encoder's first, its last, others between them.")
    ] = 2,
    student_layers: Annotated[
        str | None,
        flags.flag("--student-layers", metavar="N,...", help="Their numbers, from 0, in place of --layers, as in 0,5."),
    ] = None,
    temperature: Annotated[
        float, flags.flag("--temperature", help="Softens the outputs of teacher and student where they are compared.")
    ] = 2.0,
    hidden_weight: Annotated[
        float, flags.flag("--hidden-weight", help="Weight of the distance between their states; 0 leaves states out.")
    ] = 1.0,
    label_weight: Annotated[
        float, flags.flag("--label-weight", help="Share of the labels' own loss; the teacher's outputs have the rest.")
    ] = 0.5,
    epochs: training.Epochs = None,
    batch: training.BatchSize = 32,
    rate: training.Rate = None,
    patience: training.Patience = 3,
    seed: Seed = 0,
    checkpoint: Annotated[
        Path | None,
        flags.flag(
            "--checkpoint",
            metavar="FILE",
            help="Keeps the teacher's training here and the student's beside it (FILE.student), to go on after a stop.",
        ),
    ] = None,
    as_format: flags.Format = None,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    local_files_only: flags.Offline = False,
) -> None:
    """Distil a fine-tuned encoder into a student of a few layers, and say how good and how fast both are."""
    rows = LabelFiles(files, label, text, words, None, pair, None, as_format)
    students = load("embank.distill.task_student", "torch")
    wanted = students.StudentSettings(layers, temperature, hidden_weight, label_weight, _numbers(student_layers))
    given = rows.read()
    opened = _opened(encoder, max_tokens, local_files_only=local_files_only)
    given_rows = _rows(rows, given, kind, test)
    loop = embank.TrainingSettings(epochs=epochs, batch=batch, rate=rate, patience=patience, seed=seed)
    own = checkpoint and checkpoint.with_name(f"{checkpoint.name}.student")
    keep = students.DistillCheckpoints(checkpoint, own)
    with training.progress(quiet=quiet or as_json) as watch:
        made = students.distil(opened, given_rows, loop, wanted, keep, watch)
    if as_json:
        said = {"teacher": _said(made.teacher), "student": _said(made.student)}
        typer.echo(json.dumps(said, ensure_ascii=False))
    elif not quiet:
        _print(made.teacher)
        _print(made.student)


def _numbers(layers: str | None) -> tuple[int, ...]:
    """Numbers of layers, as a user writes them.

    Raises:
        UsageError: a part is no number.
    """
    parts = [part.strip() for part in (layers or "").split(",") if part.strip()]
    strange = [part for part in parts if not part.isdecimal()]
    if strange:
        raise embank.errors.UsageError(f"{strange[0]!r} is no layer: give numbers from 0, as in --student-layers 0,5")
    return tuple(map(int, parts))


def _opened(encoder: str, max_tokens: int | None, *, local_files_only: bool) -> Any:
    """The encoder, in torch and float32."""
    opening = load("embank.encoders.load", "torch")
    reading = embank.ReadingOptions(max_tokens=max_tokens)
    located = opening.locate(encoder, reading, local_files_only=local_files_only)
    return opening.open_encoder(located, "torch", "float32", Path.home() / ".cache" / "embank")


def _rows(rows: LabelFiles, given: tuple[list[Any], dict[str, Any]], kind: str, test: Path | None) -> "FineTuneData":
    """Rows to train on, as they were read, and those of the file to test on."""
    reading, finetuning = load("embank.labels.read", "torch"), load("embank.fit.finetune", "torch")
    labels, texts = given[0], given[1]["texts"]
    read = reading.read_labels(labels, kind, texts)
    test_texts, test_labels = [], None
    if test is not None:
        found, other = replace(rows, files=[test]).read()
        test_texts, test_labels = other["texts"], reading.read_labels(found, read.kind, other["texts"])
    made: FineTuneData = finetuning.FineTuneData(texts, read, test_texts, test_labels)
    return made


def _said(tuned: "FineTuned") -> dict[str, Any]:
    """An outcome, for JSON."""
    speeds = {"seconds_per_pass": tuned.seconds_per_pass, "texts_per_second": tuned.texts_per_second}
    return {**asdict(tuned.report), "test": tuned.test, **speeds}


def _print(tuned: "FineTuned") -> None:
    """An outcome, in words."""
    print_report(tuned.report)
    for name, value in tuned.test.items():
        typer.echo(f"  test {console.MEASURES[name]} {value:.3f}")
    typer.echo(f"  {tuned.seconds_per_pass:.1f} s a pass; predicts {tuned.texts_per_second:,.0f} texts/s")
