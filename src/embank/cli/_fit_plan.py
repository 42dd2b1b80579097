"""`embank fit --plan`: each task is fitted the way that a plan advises."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

import embank
from embank.cli import _console as console
from embank.cli import _training as training
from embank.cli._labels import LabelFiles

if TYPE_CHECKING:
    from embank import Bank, FitReport, FitSettings
    from embank.plan.json_document import Advice


@dataclass(frozen=True, kw_only=True)
class PlannedFit:
    """Arguments of `embank fit --plan`.

    Attributes:
        plan: the JSON of a plan.
        rows: files of labels.
        task: the task's name; if empty, every task of the plan is fitted under the name of its column.
        label: its column of labels; if None, the task's name.
        settings: kind, class weights and seed.
    """

    plan: Path
    rows: LabelFiles
    task: str
    label: str | None
    settings: "FitSettings"


def fit_planned(bank: "Bank", fit: PlannedFit, show: "Callable[[FitReport], None]", *, as_json: bool) -> None:
    """Fit tasks as advised; those whose way lives outside the bank are named with their command, and the status is 1.

    Args:
        bank: open.
        fit: its arguments.
        show: says what a fit found, in words or not at all.
        as_json: print one JSON object instead.
    """
    known = embank.read_plan(fit.plan)
    wanted = [_of(known, fit.label or fit.task, fit.plan)] if fit.task else known
    outside = [advice for advice in wanted if advice.way.outside]
    reports = list(_fitted(bank, fit, [advice for advice in wanted if not advice.way.outside], quiet=as_json))
    if as_json:
        others = [{"task": one.task, "way": one.way.name, "command": _command(one, fit.rows)} for one in outside]
        console.print_json({"fitted": [console.fit_record(report) for report in reports], "outside": others})
    else:
        for report in reports:
            show(report)
    for one in outside:
        typer.echo(
            f"task {one.task}: the plan advises {one.way.name}, which lives outside a bank: {_command(one, fit.rows)}",
            err=True,
        )
    if outside:
        raise typer.Exit(1)


def _of(known: "list[Advice]", task: str, path: Path) -> "Advice":
    """The advice for one task."""
    for one in known:
        if one.task == task:
            return one
    names = ", ".join(one.task for one in known) or "none"
    raise embank.errors.UsageError(f"{path} advises nothing for {task!r}; it has: {names}")


def _fitted(bank: "Bank", fit: PlannedFit, wanted: "list[Advice]", *, quiet: bool) -> "Iterator[FitReport]":
    for one in wanted:
        labels, given = fit.rows.of(one.task).read()
        name = fit.task or one.task
        settings = _settings(one, fit.settings)
        if settings.tail is not None:
            with training.progress(quiet=quiet) as train_watch:
                yield bank.fit(name, labels, settings=settings, train_watch=train_watch, **given)
            continue
        with console.progress(len(labels), quiet=quiet) as watch:
            # The precision that was advised may be one that the bank does not have yet.
            if "texts" in given:
                bank.encode(given["texts"], columns=one.way.columns, watch=watch)
            yield bank.fit(name, labels, settings=settings, watch=watch, **given)


def _settings(advice: "Advice", given: "FitSettings") -> "FitSettings":
    """What is advised, as the settings of a fit."""
    tail = None
    if advice.way.family == "tail":
        loop = embank.TrainingSettings(epochs=advice.epochs, patience=advice.epochs or 3)
        tail = embank.TailSettings(method="full", training=loop)
    return embank.FitSettings(
        kind=given.kind, columns=advice.way.columns, class_weight=given.class_weight, seed=given.seed, tail=tail
    )


def _command(advice: "Advice", rows: LabelFiles) -> str:
    """The line that trains what lives outside a bank."""
    files = " ".join(map(str, rows.files))
    kind = f"student {files} --layers {advice.way.layers}" if advice.way.family == "student" else f"finetune {files}"
    epochs = "" if advice.epochs is None else f" --epochs {advice.epochs} --patience {advice.epochs}"
    return f"embank baseline {kind} --label {advice.task} --text {rows.main}{epochs}"
