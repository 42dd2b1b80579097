"""`embank distill`: small students of a teacher, and its stored vectors in their space."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

import embank
from embank.cli import _completion as completion
from embank.cli import _console as console
from embank.cli import _training as training
from embank.cli._bundles import command
from embank.cli._flags import (
    CODECS,
    COLUMNS,
    ENCODER,
    OUTPUT,
    TRAINING,
    BankPath,
    Compute,
    Format,
    Printed,
    Seed,
    TextColumn,
    argument,
    listed,
    one_column,
)
from embank.cli._input import Source, rows_of

if TYPE_CHECKING:
    from embank import ProjectionReport, ProjectionSettings, TrainingProgress

app = typer.Typer(help="Distil a teacher into a small encoder of few dimensions.", no_args_is_help=True)

TRAIN_EXAMPLES = (
    "embank distill train models/small corpus.parquet --text sentence --width 48",
    "embank distill train models/small corpus.parquet --student 3 --matryoshka 16,32",
)
FILL_EXAMPLES = (
    "embank distill fill bank models/small",
    "embank distill fill bank models/small --codec binary",
)

RECIPES: Final = ("best", "paper")
"""How a student learns: as measured best, or as in 2203.07687."""


@dataclass(frozen=True, kw_only=True)
class Student:
    """What the student is, and how it learns."""

    teacher: str = ENCODER.option("minilm", "minilm, a folder, or a hub name (org/model@revision).")
    student: str = ENCODER.option(
        "3",
        "What the student begins as: the first layers of the teacher (3), layers by number (0,2,5), a folder, or "
        "a hub name.",
    )
    width: int = COLUMNS.option(48, "Dimensions of the student's vectors.")
    matryoshka: str | None = COLUMNS.option(
        None,
        "Matryoshka widths: shorter vectors, the first dimensions of the whole ones, that are evaluated too. "
        "[default: none]",
        metavar="N,...",
    )
    unit: bool = COLUMNS.option(False, "Scale the student's vectors to length one.")
    recipe: str = TRAINING.option(
        "best",
        "best (as measured best), or paper (as in 2203.07687: reduced targets, tanh, mean squared error).",
        words=RECIPES,
    )
    epochs: int | None = TRAINING.option(None, "Most passes over the texts. [default: 5]")
    batch: training.BatchSize = 64
    rate: training.Rate = None
    seed: Seed = 0

    def settings(self) -> "ProjectionSettings":
        """Settings of a distillation.

        Raises:
            UsageError: an unknown recipe, or widths that are no numbers.
        """
        if self.recipe not in RECIPES:
            raise embank.errors.UsageError(f"unknown --recipe {self.recipe!r}: use {' or '.join(RECIPES)}")
        loop = embank.TrainingSettings(epochs=self.epochs, batch=self.batch, rate=self.rate, seed=self.seed)
        widths = tuple(_width(part, self.matryoshka) for part in listed(self.matryoshka))
        recipe = next(known for known in RECIPES if known == self.recipe)
        return embank.ProjectionSettings(width=self.width, training=loop, widths=widths, unit=self.unit, recipe=recipe)


@command(app, TRAIN_EXAMPLES)
def train(
    out: Annotated[Path, argument("OUT", "A new folder for the student.")],
    files: Annotated[list[Path], argument("FILE...", "Files of texts to learn from, without labels.")],
    flags: Student,
    compute: Compute,
    printed: Printed,
    text: TextColumn = "text",
    as_format: Format = None,
    bank: Path | None = OUTPUT.option(
        None,
        "Keep the teacher's vectors in this bank. [default: one beside OUT, which is deleted at the end]",
        metavar="BANK",
    ),
) -> None:
    """Distil a teacher into a small student of few dimensions.

    The folder is an encoder, also for other tools.
    """
    settings, options = flags.settings(), compute.options()
    read = rows_of(Source(files=files, text=text, as_format=as_format))[text]
    made_of = embank.DistilledFrom(teacher=flags.teacher, student=flags.student)
    out.parent.mkdir(parents=True, exist_ok=True)
    work = out.with_name(f"{out.name}.bank")
    with _bank_of(bank, work, options) as opened, ExitStack() as shown:
        bars: list[Callable[[TrainingProgress], None]] = []

        def show_training(now: "TrainingProgress") -> None:
            if not bars:  # the bar of encoding ends where that of training begins
                shown.close()
                bars.append(shown.enter_context(training.progress(quiet=printed.silent)))
            bars[0](now)

        watch = shown.enter_context(console.progress(len(read), quiet=printed.silent))
        report = opened.distill(read, out, settings, made_of, watch=watch, train_watch=show_training)
    if bank is None:
        shutil.rmtree(work)
    printed.show(asdict(report), lambda: print_report(report, out))


@command(app, FILL_EXAMPLES)
def fill(
    bank: BankPath,
    student: Annotated[Path, argument("STUDENT", "The folder of a distilled student.")],
    printed: Printed,
    columns: str | None = COLUMNS.option(
        None,
        "The teacher's column. [default: the finest of those that the student learned from]",
        metavar="SPEC",
        complete=completion.columns,
    ),
    codec: str = COLUMNS.option("int8", "Precision: float32, float16, int8, int4 or binary.", words=CODECS),
) -> None:
    """Map a teacher's stored vectors to its student's space.

    The student's queries then search what the teacher encoded.
    """
    with embank.Bank.open(bank) as opened:
        column = one_column(columns, "distill fill")
        name = opened.fill_student_space(student, column, codec)
    printed.show({"column": name}, f"{name}: search it with vectors that {student} gives")


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
    console.print_passes(report, 4)
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


def _width(written: str, every: str | None) -> int:
    if not written.isdecimal():
        raise embank.errors.UsageError(f"malformed --matryoshka {every!r}: write widths, as in 16,32")
    return int(written)
