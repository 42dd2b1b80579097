"""`embank distill`: small students of a teacher, and its stored vectors in their space."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import embank
from embank.cli import _console as console
from embank.cli import _flags as flags
from embank.cli import _training as training
from embank.cli._input import Source, rows_of
from embank.cli._options import bank_options
from embank.optional import load

if TYPE_CHECKING:
    from embank import TrainingProgress
    from embank.distill.settings import ProjectionReport, ProjectionSettings

Texts = Annotated[
    list[Path] | None,
    flags.flag("--texts", metavar="FILE", help="Texts to learn from, without labels; again for more."),
]
Files = Annotated[
    list[Path] | None, typer.Argument(metavar="FILE...", help="More files of --texts.", show_default=False)
]
Teacher = Annotated[str, flags.flag("--teacher", help="minilm, a folder, or a hub name (org/model@revision).")]
StudentPlace = Annotated[
    str,
    flags.flag(
        "--student",
        help="What the student begins as: the first layers of the teacher (3), layers by number (0,2,5), a folder, or "
        "a hub name.",
    ),
]
Width = Annotated[int, flags.flag("--width", help="Dimensions of the student's vectors.")]
TeacherColumn = Annotated[
    str | None,
    flags.flag(
        "--column", metavar="SPEC", help="The teacher's vectors.  [default: its own pooling of the last layer, float16]"
    ),
]
WorkBank = Annotated[
    Path | None,
    flags.flag("--bank", metavar="BANK", help="Keep the teacher's vectors in this bank.  [default: one beside OUT]"),
]
Matryoshka = Annotated[
    str | None,
    flags.flag(
        "--matryoshka",
        metavar="N,...",
        help="Matryoshka widths: also evaluate these first dimensions; --recipe paper trains them as well.",
    ),
]
Recipe = Annotated[
    str,
    flags.flag(
        "--recipe",
        help="best (all dimensions of the teacher, by squared error and angle) or paper (2203.07687: its reduced "
        "vectors, through a tanh, by squared error).",
    ),
]
Unit = Annotated[bool, flags.flag("--unit", help="Scale the student's vectors to length one.")]


app = typer.Typer(help="Distil a teacher into a small encoder of few dimensions.", no_args_is_help=True)


@app.command()
def train(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder for the student.")],
    files: Files = None,
    texts: Texts = None,
    text: flags.TextColumn = "text",
    teacher: Teacher = "minilm",
    student: StudentPlace = "3",
    width: Width = 48,
    column: TeacherColumn = None,
    bank: WorkBank = None,
    matryoshka: Matryoshka = None,
    recipe: Recipe = "best",
    unit: Unit = False,
    epochs: Annotated[int | None, flags.flag("--epochs", help="Most passes over the texts.  [default: 5]")] = None,
    batch: training.BatchSize = 64,
    rate: training.Rate = None,
    patience: training.Patience = 3,
    max_tokens: Annotated[
        int | None, flags.flag("--max-tokens", help="The longest input; left out, what the encoder's folder says.")
    ] = None,
    seed: Annotated[int, flags.flag("--seed", help="Of the split and of everything random.")] = 0,
    as_format: flags.Format = None,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    backend: flags.Backend = None,
    dtype: flags.Dtype = None,
    cache: flags.Cache = None,
    local_files_only: flags.Offline = False,
) -> None:
    """Distil a teacher into a small student of few dimensions; the folder is an encoder, also for other tools."""
    load("embank.models.encoder_folder", "torch").refuse_existing(out)
    loop = embank.TrainingSettings(epochs=epochs, batch=batch, rate=rate, patience=patience, seed=seed)
    settings = settings_of(loop, width, matryoshka, recipe, unit=unit)
    read = rows_of(Source(_given(texts, files), text, as_format=as_format))[text]
    reading = embank.ReadingOptions(max_tokens=max_tokens)
    options = bank_options(backend, dtype, cache, reading=reading, local_files_only=local_files_only)
    made_of = embank.DistilledFrom(teacher, student, column)
    out.parent.mkdir(parents=True, exist_ok=True)
    work = out.with_name(f"{out.name}.bank")
    with _bank_of(bank, work, options) as opened, ExitStack() as shown:
        bars: list[Callable[[TrainingProgress], None]] = []

        def told(now: "TrainingProgress") -> None:
            if not bars:  # the bar of encoding ends where that of training begins
                shown.close()
                bars.append(shown.enter_context(training.progress(quiet=quiet or as_json)))
            bars[0](now)

        watch = shown.enter_context(console.progress(len(read), quiet=quiet or as_json))
        report = opened.distill(read, out, settings, made_of, watch=watch, train_watch=told)
    if bank is None:
        shutil.rmtree(work)
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False))
    elif not quiet:
        print_report(report, out)


@app.command()
def fill(
    bank: flags.BankPath,
    student: Annotated[Path, typer.Argument(metavar="STUDENT", help="The folder of a distilled student.")],
    column: Annotated[
        str | None,
        flags.flag(
            "--column", metavar="SPEC", help="The teacher's column.  [default: the finest of those that it learned]"
        ),
    ] = None,
    codec: Annotated[str, flags.flag("--codec", help="Precision: float32, float16, int8, int4 or binary.")] = "int8",
    quiet: flags.Quiet = False,
) -> None:
    """Map a teacher's stored vectors to its student's space, so that the student's queries search them."""
    with embank.Bank.open(bank) as opened:
        name = opened.fill_student_space(student, column, codec)
    if not quiet:
        typer.echo(f"{name}: search it with vectors that {student} gives")


def settings_of(
    loop: "embank.TrainingSettings", width: int, matryoshka: str | None, recipe: str, *, unit: bool
) -> "ProjectionSettings":
    """Settings of a distillation out of flags.

    Raises:
        UsageError: an unknown recipe, or widths that are no numbers.
    """
    from embank.distill.settings import RECIPES, ProjectionSettings

    known = next((word for word in RECIPES if word == recipe), None)
    if known is None:
        raise embank.errors.UsageError(f"--recipe {recipe!r} is unknown; there are: {', '.join(RECIPES)}")
    shorter = tuple(_whole(part, matryoshka) for part in (matryoshka or "").split(",") if part.strip())
    return ProjectionSettings(width=width, training=loop, widths=shorter, unit=unit, recipe=known)


def print_report(report: "ProjectionReport", out: Path) -> None:
    """Say how well a student follows its teacher."""
    rows = [
        [str(score.width), f"{score.pca:.4f}", f"{score.before:.4f}", f"{score.student:.4f}"] for score in report.widths
    ]
    console.print_table(["dimensions", "teacher's PCA", "before training", "student"], rows, (0, 1, 2, 3))
    typer.echo(
        f"Spearman with the similarities of {report.origins.column}, over pairs of {report.held_out:,} texts that were "
        f"held out of {report.texts + report.held_out:,}"
    )
    passes = ", ".join(f"{score:.4f}" for score in report.passes)
    typer.echo(f"after each pass {passes}: pass {report.best} is kept")
    typer.echo(f"{report.steps:,} steps in {report.seconds:.0f} s{', resumed' if report.resumed else ''}")
    layers = len(report.origins.layers) or "LAYERS"
    typer.echo(
        f"{out}: encode with it, as in: embank encode BANK TEXTS --text COL --encoder {out} "
        f"--columns {out.name}/{layers}/own@int8"
    )


@contextmanager
def _bank_of(bank: Path | None, work: Path, options: "embank.BankOptions") -> Iterator["embank.Bank"]:
    """The bank that was named, or one beside the student, which does not stay where nothing came into it."""
    opened = embank.Bank.open_or_create(bank or work, options)
    try:
        with opened:
            try:
                yield opened
            finally:
                empty = bank is None and not len(opened)
    except embank.errors.EmbankError:
        if empty:
            shutil.rmtree(work)
        raise


def _given(texts: list[Path] | None, files: list[Path] | None) -> list[Path]:
    every = [*(texts or []), *(files or [])]
    if not every:
        raise embank.errors.UsageError("give texts to learn from: --texts FILE")
    return every


def _whole(written: str, every: str | None) -> int:
    if not written.strip().isdecimal():
        raise embank.errors.UsageError(f"{every!r} in --matryoshka is no list of widths; write 16,32")
    return int(written)
