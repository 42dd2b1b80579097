"""`embank distill`: small students of a teacher, and its stored vectors in their space."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

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

Word = TypeVar("Word", bound=str)

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
Losses = Annotated[
    str,
    flags.flag(
        "--losses",
        metavar="NAME[=WEIGHT],...",
        help="What is made small: mse and cosine (to the teacher's reduced vectors), similarity (of all pairs of a "
        "batch, to those of its whole vectors).",
    ),
]
Matryoshka = Annotated[
    str | None,
    flags.flag(
        "--matryoshka",
        metavar="N,...",
        help="Score these first dimensions as vectors as well, and train them where no more is learned than is kept.",
    ),
]
Activation = Annotated[str, flags.flag("--activation", help="After the projection: identity or tanh.")]
Pca = Annotated[
    str,
    flags.flag("--pca", help="Of the teacher's vectors: uncentred (keeps cosines best) or centred (mean taken away)."),
]
Start = Annotated[
    str,
    flags.flag(
        "--start",
        help="What the projection begins as: regression of the targets on the student's vectors, or the pca itself "
        "(only where teacher and student are of one width).",
    ),
]
Dropout = Annotated[bool, flags.flag("--dropout", help="Train the student with the dropout of its configuration.")]
Choice = Annotated[
    str, flags.flag("--choice", help="The best pass by held-out similarity (Spearman with the teacher) or loss.")
]
Learns = Annotated[
    str,
    flags.flag(
        "--learns",
        help="whole: all of the teacher's dimensions, of which a PCA of the student's vectors keeps the strongest; "
        "reduced: no more than are kept.",
    ),
]
Unit = Annotated[bool, flags.flag("--unit", help="Scale the student's vectors to length one.")]
HeldOut = Annotated[int, flags.flag("--held-out", help="Texts that validate, at most; at most a tenth of all.")]


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
    losses: Losses = "mse,cosine",
    matryoshka: Matryoshka = None,
    activation: Activation = "identity",
    pca: Pca = "uncentred",
    start: Start = "regression",
    dropout: Dropout = False,
    choice: Choice = "similarity",
    learns: Learns = "whole",
    unit: Unit = False,
    held_out: HeldOut = 1000,
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
    load("embank.multitask.folder", "torch").refuse_existing(out)
    loop = embank.TrainingSettings(epochs, batch, rate, patience, seed=seed)
    settings = settings_of(
        loop, (width, matryoshka, held_out), losses, (activation, pca, start, choice, learns), (dropout, unit)
    )
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
    loop: "embank.TrainingSettings",
    numbers: tuple[int, str | None, int],
    losses: str,
    words: tuple[str, str, str, str, str],
    switches: tuple[bool, bool],
) -> "ProjectionSettings":
    """Settings of a distillation out of flags.

    Raises:
        UsageError: a word that is not known, or a number that is none.
    """
    from embank.distill.settings import ACTIVATIONS, CENTRINGS, CHOICES, LEARNS, STARTS, TERMS, ProjectionSettings

    width, matryoshka, held_out = numbers
    terms = []
    for part in losses.split(","):
        name, _, weight = part.partition("=")
        terms.append((_one_of(name.strip(), TERMS, "--losses"), _number(weight or "1", part)))
    shorter = tuple(_whole(part, matryoshka) for part in (matryoshka or "").split(",") if part.strip())
    return ProjectionSettings(
        width,
        loop,
        tuple(terms),
        shorter,
        _one_of(words[0], ACTIVATIONS, "--activation"),
        _one_of(words[1], CENTRINGS, "--pca"),
        _one_of(words[2], STARTS, "--start"),
        switches[0],
        _one_of(words[3], CHOICES, "--choice"),
        held_out,
        switches[1],
        _one_of(words[4], LEARNS, "--learns"),
    )


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
    typer.echo(f"by {report.settings['choice']} after each pass {passes}: pass {report.best} is kept")
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


def _one_of(word: str, known: "tuple[Word, ...]", flag: str) -> "Word":
    found = next((one for one in known if one == word), None)
    if found is None:
        raise embank.errors.UsageError(f"{flag} {word!r} is unknown; there are: {', '.join(known)}")
    return found


def _number(written: str, part: str) -> float:
    try:
        return float(written)
    except ValueError as fault:
        raise embank.errors.UsageError(f"{part!r} in --losses is no loss with a weight; write mse=0.5") from fault


def _whole(written: str, every: str | None) -> int:
    if not written.strip().isdecimal():
        raise embank.errors.UsageError(f"{every!r} in --matryoshka is no list of widths; write 16,32")
    return int(written)
