"""`embank plan`: which way to serve tasks pays, measured on this machine and these texts."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _console as console
from embank.cli._flags import (
    COMPUTE,
    OUTPUT,
    TASK,
    BankPath,
    Format,
    KnownEncoder,
    PairColumn,
    Printed,
    Seed,
    TextColumn,
    argument,
    flag,
)
from embank.cli._labels import LabelFiles
from embank.reports.progress import Step, shown

if TYPE_CHECKING:
    from embank import PlanSettings

_WRITTEN = (".html", ".json")


EXAMPLES = (
    "embank plan bank messages.csv --text message --label urgent --label topic",
    "embank plan bank messages.csv --text message --label topic --texts 1000000 -o plan.html",
)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What is planned for, and how long measuring may take."""

    label: Annotated[list[str], flag(TASK, "--label", metavar="COL", help="Column of labels: a task; repeatable.")]
    kind: str = TASK.option(
        "auto",
        "Of every task: auto, single (one class), multi (several labels) or regression (a number).",
        words=("auto", "single", "multi", "regression"),
    )
    tasks: int | None = TASK.option(None, "How many tasks there will be. [default: one per --label]", metavar="N")
    texts: int | None = TASK.option(
        None, "How many texts each task will be predicted on. [default: as many as the bank or LABELS has]", metavar="N"
    )
    tolerance: float = TASK.option(0.5, "Points that a cheaper way may lose to the best measured.")
    minutes: float = COMPUTE.option(10.0, "Most minutes of measuring.")
    seed: Seed = 0

    def settings(self) -> "PlanSettings":
        """Settings of a plan."""
        return embank.PlanSettings(
            tasks=self.tasks,
            texts=self.texts,
            tolerance=self.tolerance,
            minutes=self.minutes,
            kind=self.kind,
            seed=self.seed,
        )


def plan(
    bank: BankPath,
    files: Annotated[
        list[Path], argument("LABELS...", "Files with labels beside texts; any format that encode reads.")
    ],
    planned: Planned,
    encoder: KnownEncoder,
    printed: Printed,
    text: TextColumn = "text",
    pair: PairColumn = None,
    as_format: Format = None,
    output: list[Path] | None = OUTPUT.option(
        None,
        "Report to write: .html with figures, or .json for fit --plan; repeatable.",
        "--output",
        "-o",
        metavar="OUT",
    ),
) -> None:
    """Measure ways to serve tasks, and advise one.

    Frozen heads, tails, students and full fine-tuning are tried on your labels and this machine. BANK is only read.
    """
    settings = planned.settings()
    for path in output or ():
        if path.suffix not in _WRITTEN:
            raise embank.errors.UsageError(f"found --output {path}, expected a name that ends in .html or .json")
        if not path.parent.is_dir():
            raise embank.errors.UsageError(f"{path} cannot be written: there is no folder {path.parent}")
    with embank.Bank.open(bank, encoder.opened()) as opened:
        rows, labels = _read(
            LabelFiles(files=files, label=None, text=text, pair=pair, as_format=as_format), planned.label
        )
        with _progress(planned.minutes, quiet=printed.silent) as watch:
            found = opened.plan(rows, labels, settings, watch)
    for path in output or ():
        written = embank.plan_json(found) if path.suffix == ".json" else embank.plan_html(found)
        path.write_text(written, encoding="utf-8")
    if printed.as_json:
        typer.echo(embank.plan_json(found))
    elif not printed.quiet:
        console.print_sheet(found)
        for path in output or ():
            typer.echo(f"written: {path}")
    if not any(one.findings for one in found.plans):
        raise typer.Exit(1)


def _read(rows: LabelFiles, columns: Sequence[str]) -> tuple[list[Any], dict[str, list[Any]]]:
    """Texts, and the labels of each column."""
    labels: dict[str, list[Any]] = {}
    texts: list[Any] = []
    for column in dict.fromkeys(columns):
        found, given = rows.of(column).read()
        labels[column], texts = found, given["texts"]
    return texts, labels


@contextmanager
def _progress(minutes: float, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show what is being measured, and how much of the time has gone."""
    began = time.monotonic()
    with shown("measuring", round(60 * minutes), on=not quiet) as show:
        yield lambda what: show(Step(round(time.monotonic() - began), None, f"s at most; {what}"))
