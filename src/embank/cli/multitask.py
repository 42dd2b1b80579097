"""`embank multitask`: one encoder trained on several source tasks."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _console as console
from embank.cli import _flags as flags
from embank.cli import _training as training
from embank.cli._source_tasks import read_source_file
from embank.optional import load
from embank.reports.wording import counted

if TYPE_CHECKING:
    from embank.fit.source_tasks import Source
    from embank.multitask import MultitaskProgress, MultitaskReport, MultitaskSettings

app = typer.Typer(help="Train one encoder on several source tasks.", no_args_is_help=True)

Sources = Annotated[
    Path,
    flags.flag(
        "--sources",
        metavar="FILE",
        help="TOML: a [[source]] each with name, files, label, and text or words; also pair, kind, weight, validation, "
        "test, reads, format.",
    ),
]
Temperature = Annotated[
    float,
    flags.flag("--temperature", help="Sources are drawn by rows ** (1 / temperature): 1 by size, high ones alike."),
]
Rows = Annotated[int | None, flags.flag("--rows", help="Training rows of a source at most.  [default: all]")]
Reads = Annotated[
    str, flags.flag("--reads", help="What source heads read: default (the layers of default columns) or last.")
]
EncoderPlace = Annotated[
    str, flags.flag("--encoder", help="Where training begins: minilm, a folder, or a hub name (org/model@revision).")
]
MaxTokens = Annotated[
    int | None, flags.flag("--max-tokens", help="The longest input; left out, what the encoder's folder says.")
]


@dataclass(frozen=True)
class Maker:
    """Trains trunks as the flags say."""

    settings: "MultitaskSettings"
    encoder: str
    max_tokens: int | None
    offline: bool
    quiet: bool

    def __call__(self, sources: "Sequence[Source]", out: Path) -> "MultitaskReport":
        """Train, and write the folder; a checkpoint lies beside it until then."""
        opening, multitask = load("embank.encoders.load", "torch"), load("embank.multitask.train", "torch")
        saving = load("embank.multitask.folder", "torch")
        load("embank.models.encoder_folder", "torch").refuse_existing(out)
        reading = embank.ReadingOptions(max_tokens=self.max_tokens)
        located = opening.locate(self.encoder, reading, local_files_only=self.offline)
        opened = opening.open_encoder(located, "torch", "float32", Path.home() / ".cache" / "embank")
        out.parent.mkdir(parents=True, exist_ok=True)
        checkpoint = out.with_name(f"{out.name}.training.safetensors")
        with progress(quiet=self.quiet) as watch:
            trained = multitask.train_multitask(opened, sources, self.settings, checkpoint, watch)
        saving.save_multitask(opened, trained.report, out)
        checkpoint.unlink(missing_ok=True)
        report: MultitaskReport = trained.report
        return report


def settings_of(
    loop: training.Training, temperature: float, rows: int | None, reads: str, seed: int
) -> "MultitaskSettings":
    """Settings of multi-task training out of flags."""
    from embank.fit.source_tasks import READS
    from embank.multitask import MultitaskSettings

    known = next((word for word in READS if word == reads), None)
    if known is None:
        raise embank.errors.UsageError(f"--reads {reads!r} is unknown; there are: {', '.join(READS)}")
    asked = embank.TrainingSettings(
        epochs=loop.epochs, batch=loop.batch, rate=loop.rate, patience=loop.patience, seed=seed
    )
    return MultitaskSettings(training=asked, temperature=temperature, most=rows, reads=known)


@app.command()
def train(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder for the trunk.")],
    sources: Sources,
    encoder: EncoderPlace = "minilm",
    epochs: Annotated[int | None, flags.flag("--epochs", help="Most passes over the sources.  [default: 1]")] = None,
    batch: training.BatchSize = 32,
    rate: training.Rate = None,
    patience: training.Patience = 3,
    temperature: Temperature = 2.0,
    rows: Rows = None,
    reads: Reads = "default",
    max_tokens: MaxTokens = None,
    seed: Annotated[int, flags.flag("--seed", help="Of splits, order and dropout.")] = 0,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    local_files_only: flags.Offline = False,
) -> None:
    """Train one encoder on several source tasks; the folder is an encoder for `embank encode --encoder OUT`."""
    loop = training.Training(epochs, batch, rate, patience)
    settings = settings_of(loop, temperature, rows, reads, seed)
    load("embank.models.encoder_folder", "torch").refuse_existing(out)
    read = [entry.source() for entry in read_source_file(sources)]
    maker = Maker(settings, encoder, max_tokens, local_files_only, quiet or as_json)
    report = maker(read, out)
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False))
    elif not quiet:
        print_report(report)
        typer.echo(f"{out}: encode with it, as in: embank encode BANK TEXTS --text COL --encoder {out}")


@app.command()
def evaluate(
    work: Annotated[
        Path, typer.Argument(metavar="WORK", help="A folder for trunks and scores; what is finished there is kept.")
    ],
    sources: Sources,
    leave_out: Annotated[
        list[str] | None,
        flags.flag(
            "--leave-out",
            metavar="NAME[,NAME]",
            help="Leave these out, together; may be given again. Left out: each source in turn.",
        ),
    ] = None,
    seen: Annotated[bool, flags.flag("--seen/--no-seen", help="Train on all sources as well, for comparison.")] = True,
    codec: Annotated[str, flags.flag("--codec", help="Precision of the columns that are tried.")] = "float16",
    encoder: EncoderPlace = "minilm",
    epochs: Annotated[int | None, flags.flag("--epochs", help="Most passes over the sources.  [default: 1]")] = None,
    batch: training.BatchSize = 32,
    rate: training.Rate = None,
    patience: training.Patience = 3,
    temperature: Temperature = 2.0,
    rows: Rows = None,
    reads: Reads = "default",
    max_tokens: MaxTokens = None,
    seed: Annotated[int, flags.flag("--seed", help="Of splits, order and dropout.")] = 0,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    local_files_only: flags.Offline = False,
) -> None:
    """Leave source tasks out in turn, train, and try the frozen representation on them, beside the raw encoder's."""
    loop = training.Training(epochs, batch, rate, patience)
    settings = settings_of(loop, temperature, rows, reads, seed)
    evaluation = load("embank.evaluate.transfer", "torch")
    targets = [entry.target() for entry in read_source_file(sources)]
    names = [target.source.name for target in targets]
    groups = [group.split(",") for group in leave_out] if leave_out else [[name] for name in names]
    maker = Maker(settings, encoder, max_tokens, local_files_only, quiet or as_json)
    options = embank.BankOptions(
        reading=embank.ReadingOptions(max_tokens=max_tokens), local_files_only=local_files_only
    )
    asked = evaluation.EvaluationSettings(codec, seed, seen, encoder, options)
    found = evaluation.leave_out(targets, groups, maker, asked, work)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False))
    elif not quiet:
        print_transfers(found)


def print_report(report: "MultitaskReport") -> None:
    """Say what became of each source."""
    rows = [
        [
            source.name,
            source.kind,
            f"{source.rows:,}",
            source.measure,
            f"{source.score:.3f}",
            "-" if source.frozen is None else f"{source.frozen:.3f}",
            f"{source.guess:.3f}",
        ]
        for source in report.sources
    ]
    console.print_table(["source", "kind", "rows", "measure", "validation", "frozen", "guessing"], rows, (2, 4, 5, 6))
    worse = [source.name for source in report.sources if source.frozen is not None and source.score <= source.frozen]
    if worse:
        typer.echo(f"no better than a linear head on the encoder as it was (frozen): {', '.join(worse)}")
    passes = ", ".join(f"{score:.3f}" for score in report.passes)
    typer.echo(f"mean {report.mean:.3f}; after each pass {passes}: pass {report.best} is kept")
    typer.echo(f"{report.steps:,} steps in {report.seconds:.0f} s{', resumed' if report.resumed else ''}")


def print_transfers(found: Sequence[Any]) -> None:
    """Say what frozen representations did for tasks that were left out."""
    rows = [
        [
            one.task,
            one.measure,
            f"{one.raw:.3f}",
            f"{one.without:.3f}",
            f"{one.without - one.raw:+.3f}",
            "-" if one.seen is None else f"{one.seen:.3f}",
        ]
        for one in found
    ]
    console.print_table(["task", "measure", "raw encoder", "left out", "gain", "seen"], rows, (2, 3, 4, 5))
    mean = sum(one.without - one.raw for one in found) / len(found)
    typer.echo(
        f"mean gain on tasks that the trunk has not seen: {100 * mean:+.2f} points over {counted(len(found), 'task')}"
    )
    worse = [one.task for one in found if one.without < one.raw]
    if worse:
        typer.echo(f"worse than the raw encoder: {', '.join(worse)}")


@contextmanager
def progress(*, quiet: bool) -> "Iterator[Callable[[MultitaskProgress], None]]":
    """Show steps, and the loss and validation score of every source; silent where it is not a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    shown = console.bars("{task.description}", "{task.fields[said]}")
    with shown:
        bar = shown.add_task("training", total=None, said="")
        lines: dict[str, Any] = {}

        def watch(now: "MultitaskProgress") -> None:
            if not now.epoch:
                shown.update(bar, said=f"heads on the encoder as it is: {len(now.scores)}")
                return
            shown.update(bar, total=now.steps, completed=now.step, said=f"steps, pass {now.epoch} of {now.epochs}")
            for name, loss in now.losses.items():
                if name not in lines:
                    lines[name] = shown.add_task(f"  {name}", total=now.steps, said="")
                score = f", validation {now.scores[name]:.3f}" if name in now.scores else ""
                shown.update(lines[name], completed=now.step, said=f"loss {loss:.3f}{score}")

        yield watch
