"""`embank multitask`: one encoder trained on several source tasks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _console as console
from embank.cli import _training as training
from embank.cli._bundles import command
from embank.cli._flags import (
    CODECS,
    COLUMNS,
    ENCODER,
    ROWS,
    TRAINING,
    Printed,
    Trained,
    argument,
    flag,
)
from embank.cli._source_tasks import read_source_file
from embank.reports.progress import Step, shown
from embank.reports.wording import MEASURES, counted

if TYPE_CHECKING:
    from embank.fit.source_tasks import Source
    from embank.multitask import MultitaskProgress, MultitaskReport, MultitaskSettings

app = typer.Typer(help="Train one encoder on several source tasks.", no_args_is_help=True)

TRAIN_EXAMPLES = (
    "embank multitask train models/house --sources sources.toml",
    "embank multitask train models/house --sources sources.toml --rows 5000 --epochs 2",
)
EVALUATE_EXAMPLES = (
    "embank multitask evaluate trials --sources sources.toml",
    "embank multitask evaluate trials --sources sources.toml --leave-out urgency --no-seen",
)


@dataclass(frozen=True, kw_only=True)
class Training(training.Loop, training.SourceHead, Trained):
    """What is trained on, from which encoder, and how."""

    sources: Annotated[
        Path,
        flag(
            ROWS,
            "--sources",
            metavar="FILE",
            help=(
                "TOML file: per source task a [[source]] with name, files, label, and text or words; also pair, kind, "
                "weight, validation, test, reads, format."
            ),
        ),
    ]
    rows: int | None = ROWS.option(None, "Most training rows per source task. [default: all]")
    encoder: str = ENCODER.option("minilm", "Where training begins: minilm, a folder, or a hub name.")
    epochs: int | None = TRAINING.option(None, "Most passes over the sources. [default: 1]")
    temperature: float = TRAINING.option(2.0, "Sources are drawn by rows ** (1 / temperature): 1 by size, high alike.")

    def multitask(self) -> "MultitaskSettings":
        """Settings of multi-task training.

        Raises:
            UsageError: an unknown word, or a number that no training can start with.
        """
        return embank.MultitaskSettings(
            training=self.settings(), temperature=self.temperature, most=self.rows, reads=self.layers
        )


@dataclass(frozen=True)
class Maker:
    """Trains encoders as the flags say."""

    settings: "MultitaskSettings"
    flags: Training
    quiet: bool

    def __call__(self, sources: "Sequence[Source]", out: Path) -> "MultitaskReport":
        """Train, and write the folder; a checkpoint lies beside it until then."""
        with progress(quiet=self.quiet) as watch:
            return embank.train_multitask(
                sources,
                out,
                self.settings,
                encoder=self.flags.encoder,
                options=self.flags.options(),
                watch=watch,
            )


@command(app, TRAIN_EXAMPLES)
def train(
    out: Annotated[Path, argument("OUT", "A new folder for the encoder.")],
    flags: Training,
    printed: Printed,
) -> None:
    """Train one encoder on several source tasks.

    The folder is an encoder, also for other tools: embank encode --encoder OUT.
    """
    settings = flags.multitask()
    read = [entry.source() for entry in read_source_file(flags.sources)]
    report = Maker(settings, flags, printed.silent)(read, out)
    sources = [console.source_record(asdict(source)) for source in report.sources]
    printed.show({**asdict(report), "sources": sources}, lambda: print_report(report, out))


@command(app, EVALUATE_EXAMPLES)
def evaluate(
    work: Annotated[Path, argument("WORK", "Folder for encoders and scores; what is finished there is kept.")],
    flags: Training,
    printed: Printed,
    leave_out: list[str] | None = ROWS.option(
        None, "Leave these source tasks out, together; repeatable. [default: each in turn]", metavar="NAME,..."
    ),
    seen: bool = TRAINING.option(True, "Train on all sources as well, for comparison.", "--seen/--no-seen"),
    codec: str = COLUMNS.option("float16", "Precision of the columns that are tried.", words=CODECS),
) -> None:
    """Measure it on tasks that are left out in turn.

    Beside an encoder that was trained without the task stand the encoder as it was and one that has seen the task.
    """
    settings = flags.multitask()
    targets = [entry.target() for entry in read_source_file(flags.sources)]
    names = [target.source.name for target in targets]
    groups = [group.split(",") for group in leave_out] if leave_out else [[name] for name in names]
    how = embank.TransferSettings(
        codec=codec, seed=flags.seed, seen=seen, encoder=flags.encoder, options=flags.options()
    )
    found = embank.evaluate_transfer(targets, groups, Maker(settings, flags, printed.silent), how, work)
    printed.show({"tasks": [asdict(one) for one in found]}, lambda: print_transfers(found))


def print_report(report: "MultitaskReport", out: Path) -> None:
    """Say what became of each source, and how the encoder in `out` is used."""
    rows = [
        [
            source.name,
            source.kind,
            f"{source.rows:,}",
            MEASURES[source.measure],
            f"{source.score:.3f}",
            "-" if source.frozen is None else f"{source.frozen:.3f}",
            f"{source.guess:.3f}",
        ]
        for source in report.sources
    ]
    console.print_table(["source", "kind", "rows", "measure", "validation", "frozen", "baseline"], rows, (2, 4, 5, 6))
    worse = [source.name for source in report.sources if source.frozen is not None and source.score <= source.frozen]
    if worse:
        typer.echo(f"no better than a linear head on the encoder as it was (frozen): {', '.join(worse)}")
    typer.echo(f"mean {report.mean:.3f}")
    console.print_passes(report, 3)
    typer.echo(f"{out}: encode with it, as in: embank encode BANK TEXTS --text COL --encoder {out}")


def print_transfers(found: Sequence[Any]) -> None:
    """Say what frozen representations did for tasks that were left out."""
    rows = [
        [
            one.task,
            MEASURES[one.measure],
            f"{one.raw:.3f}",
            f"{one.without:.3f}",
            f"{one.without - one.raw:+.3f}",
            "-" if one.seen is None else f"{one.seen:.3f}",
        ]
        for one in found
    ]
    console.print_table(["task", "measure", "encoder as it was", "left out", "gain", "seen"], rows, (2, 3, 4, 5))
    mean = sum(one.without - one.raw for one in found) / len(found)
    typer.echo(f"mean gain on tasks that were left out: {100 * mean:+.2f} points over {counted(len(found), 'task')}")
    worse = [one.task for one in found if one.without < one.raw]
    if worse:
        typer.echo(f"worse than the encoder as it was: {', '.join(worse)}")


@contextmanager
def progress(*, quiet: bool) -> "Iterator[Callable[[MultitaskProgress], None]]":
    """Show steps, and the loss and validation score of every source."""
    with shown("training", on=not quiet) as show:
        yield lambda now: show(Step(now.step, now.steps or None, _state(now)))


def _state(now: "MultitaskProgress") -> str:
    if not now.epoch:
        return f"heads on the encoder as it is: {len(now.scores)}"
    sources = [
        f"{name} {loss:.3f}" + (f" (validation {now.scores[name]:.3f})" if name in now.scores else "")
        for name, loss in now.losses.items()
    ]
    return f"steps, pass {now.epoch} of {now.epochs}, loss {', '.join(sources)}"
