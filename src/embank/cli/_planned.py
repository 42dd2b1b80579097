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
from embank.optional import load

if TYPE_CHECKING:
    from embank import Bank, FitReport, FitSettings
    from embank.planning.documents import Advice


@dataclass(frozen=True)
class Asked:
    """What `embank fit --plan` is asked for.

    Attributes:
        plan: the JSON of a plan.
        rows: files of labels.
        task: the task's name, or "": then every task of the plan is fitted under the name of its column.
        label: its column of labels, or None: then the task's name is that as well.
        settings: kind, class weights and seed.
    """

    plan: Path
    rows: LabelFiles
    task: str
    label: str | None
    settings: "FitSettings"


def fit_planned(bank: "Bank", asked: Asked, show: "Callable[[FitReport], None]", *, as_json: bool) -> None:
    """Fit tasks as advised; those whose way lives outside the bank are named with their command, and the status is 1.

    Args:
        bank: open.
        asked: what the user said.
        show: says what a fit found, in words or not at all.
        as_json: print one JSON object instead.
    """
    documents = load("embank.planning.documents", "torch")
    known = documents.read_advice(asked.plan)
    wanted = [documents.advice_for(known, asked.label or asked.task, asked.plan)] if asked.task else known
    outside = [advice for advice in wanted if advice.outside]
    reports = list(_fitted(bank, asked, [advice for advice in wanted if not advice.outside], quiet=as_json))
    if as_json:
        told = [{"task": one.task, "way": one.way, "command": _command(one, asked.rows)} for one in outside]
        console.print_json({"fitted": [console.fit_record(report) for report in reports], "outside": told})
    else:
        for report in reports:
            show(report)
    for one in outside:
        typer.echo(
            f"task {one.task}: the plan advises {one.way}, which lives outside a bank: {_command(one, asked.rows)}",
            err=True,
        )
    if outside:
        raise typer.Exit(1)


def _fitted(bank: "Bank", asked: Asked, wanted: "list[Advice]", *, quiet: bool) -> "Iterator[FitReport]":
    for one in wanted:
        labels, given = asked.rows.of(one.task).read()
        name = asked.task or one.task
        settings = _settings(one, asked.settings)
        if settings.tail is not None:
            with training.progress(quiet=quiet) as train_watch:
                yield bank.fit(name, labels, settings=settings, train_watch=train_watch, **given)
            continue
        with console.progress(len(labels), quiet=quiet) as watch:
            # The precision that was advised may be one that the bank does not have yet.
            if "texts" in given:
                bank.encode(given["texts"], columns=one.columns, watch=watch)
            yield bank.fit(name, labels, settings=settings, watch=watch, **given)


def _settings(advice: "Advice", asked: "FitSettings") -> "FitSettings":
    """What is advised, as the settings of a fit."""
    tail = None
    if advice.family in ("tail", "limited"):
        loop = embank.TrainingSettings(epochs=advice.epochs, patience=advice.epochs or 3)
        tail = embank.TailSettings(method="adapters" if advice.method == "adapters" else "full", training=loop)
    return embank.FitSettings(asked.kind, advice.columns, class_weight=asked.class_weight, seed=asked.seed, tail=tail)


def _command(advice: "Advice", rows: LabelFiles) -> str:
    """The line that trains what lives outside a bank."""
    files = " ".join(map(str, rows.files))
    kind = f"student {files} --layers {advice.layers}" if advice.family == "student" else f"finetune {files}"
    epochs = "" if advice.epochs is None else f" --epochs {advice.epochs} --patience {advice.epochs}"
    return f"embank baseline {kind} --label {advice.task} --text {rows.main}{epochs}"
