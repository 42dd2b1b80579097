"""`embank fit`: a task on the bank's columns, from files of labels."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _completion as completion
from embank.cli import _console as console
from embank.cli import _fit_plan as fit_plan
from embank.cli import _training as training
from embank.cli._flags import (
    COLUMNS,
    ROWS,
    TASK,
    ApartColumn,
    BankPath,
    Format,
    Kind,
    KnownEncoder,
    Label,
    PairColumn,
    Printed,
    WordsColumn,
    argument,
    listed,
)
from embank.cli._labels import LabelFiles

if TYPE_CHECKING:
    from embank import Bank, FitReport, FitSettings

EXAMPLES = (
    "embank fit bank messages.csv --task urgent --label urgent --id id",
    "embank fit bank messages.csv --task topic --label topic --text message --tail full",
)


@dataclass(frozen=True, kw_only=True)
class TaskFlags:
    """Which task, and what of it."""

    task: str = TASK.option(
        "", "Name of the task; a task of that name is replaced.", metavar="NAME", complete=completion.tasks
    )
    label: Label = None
    kind: Kind = "auto"
    class_weight: str = TASK.option(
        "none", "none, or balanced: rare classes count as much as common ones.", words=("none", "balanced")
    )
    refit: bool = TASK.option(False, "Fit again on the labels and the split that the bank kept; needs no LABELS.")
    plan: Path | None = TASK.option(
        None,
        "Fit the way that this plan advises (embank plan -o PLAN.json); without --task, all of its tasks.",
        metavar="PLAN.json",
    )
    columns: str | None = COLUMNS.option(
        None,
        "Columns to read. [default: validation chooses among all]",
        metavar="SPEC,...",
        complete=completion.columns,
    )


@dataclass(frozen=True, kw_only=True)
class LabelledRows:
    """Which rows of the files the labels belong to."""

    text: str | None = ROWS.option(None, "Column of texts. [default: text, where there is no --id]", metavar="COL")
    id: str | None = ROWS.option(None, "Column of ids that encode was given (instead of --text).", metavar="COL")
    words: WordsColumn = None
    pair: PairColumn = None
    pair_apart: ApartColumn = None
    format: Format = None


def fit(
    context: typer.Context,
    bank: BankPath,
    rows: LabelledRows,
    task: TaskFlags,
    tail: training.TailFlags,
    encoder: KnownEncoder,
    printed: Printed,
    files: Annotated[
        list[Path] | None,
        argument("LABELS...", "Files with labels beside texts or ids; any format that encode reads."),
    ] = None,
) -> None:
    """Fit a task: a head on vectors, or upper layers on states.

    Texts that the bank lacks are encoded first.
    """
    if not task.task and task.plan is None:
        raise embank.errors.UsageError("name the task: --task NAME")
    if task.plan is not None and (task.refit or tail.tail or task.columns):
        raise embank.errors.UsageError("--plan says what to fit: leave out --refit, --tail and --columns")
    if tail.tail is None and task.plan is None:
        training.refuse_strays(context)
    labelled = LabelFiles(
        files=files or [],
        label=task.label,
        text=rows.text,
        words=rows.words,
        id=rows.id,
        pair=rows.pair,
        apart=rows.pair_apart,
        as_format=rows.format,
    )
    with embank.Bank.open(bank, encoder.opened()) as opened:
        if task.plan is not None:
            settings = embank.FitSettings(kind=task.kind, class_weight=task.class_weight, seed=tail.seed)
            wanted = fit_plan.PlannedFit(
                plan=task.plan, rows=labelled, task=task.task, label=task.label, settings=settings
            )
            show = (lambda _: None) if printed.quiet else print_report
            fit_plan.fit_planned(opened, wanted, show, as_json=printed.as_json)
            return
        if task.refit:
            with training.progress(quiet=printed.silent) as train_watch:
                report = opened.refit(task.task, train_watch=train_watch)
        else:
            report = _fit(opened, labelled, task, tail, quiet=printed.silent)
    printed.show(console.fit_record(report), lambda: print_report(report))


def _fit(bank: "Bank", rows: LabelFiles, task: TaskFlags, tail: training.TailFlags, *, quiet: bool) -> "FitReport":
    labels, given = rows.read()
    chosen = tail.wanted()
    if task.kind in ("tagging", "span") and chosen is None:
        raise embank.errors.UsageError(f"--kind {task.kind} reads states: give --tail full, adapters or lora")
    settings = embank.FitSettings(
        kind=task.kind,
        columns=listed(task.columns),
        reads="together" if rows.apart is None else "apart",
        class_weight=task.class_weight,
        seed=tail.seed,
        tail=chosen,
    )
    with _progress(settings, len(labels), quiet=quiet) as watches:
        return bank.fit(task.task, labels, settings=settings, **watches, **given)


@contextmanager
def _progress(settings: "FitSettings", rows: int, *, quiet: bool) -> Iterator[dict[str, Any]]:
    """The progress callback of a fit, by its name."""
    if settings.tail is not None:
        with training.progress(quiet=quiet) as train_watch:
            yield {"train_watch": train_watch}
    else:
        with console.progress(rows, quiet=quiet) as watch:
            yield {"watch": watch}


def print_report(report: "FitReport") -> None:
    """Say in words what a fit found, and what to try where that is nothing."""
    typer.echo(str(report))
    if report.validation[report.measure] <= report.baseline[report.measure]:
        typer.echo(f"  no better than the baseline on validation texts: {_advice(report)}")


def _advice(report: "FitReport") -> str:
    """What to try where nothing was learned."""
    if "cut" in report.chosen:
        return "try more texts, a lower --cut, more --epochs or another --rate"
    return "try more texts, other columns, or a tail (--tail auto)"
