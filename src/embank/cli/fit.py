"""`embank fit`: a task on banked columns, from a file of labels."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import embank
from embank.cli import _console as console
from embank.cli import _flags as flags
from embank.cli import _training as training
from embank.cli import fit_plan
from embank.cli._labels import LabelFiles
from embank.cli._options import bank_options
from embank.reports.wording import counted

if TYPE_CHECKING:
    from embank import FitReport


def fit(
    context: typer.Context,
    bank: flags.BankPath,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="LABELS...", help="Files with labels beside texts or ids; any format that encode reads."
        ),
    ] = None,
    task: Annotated[
        str, flags.flag("--task", metavar="NAME", help="The task's name; one of that name is replaced.")
    ] = "",
    label: Annotated[str | None, flags.flag("--label", metavar="COL", help="The column of labels.")] = None,
    text: Annotated[str | None, flags.flag("--text", metavar="COL", help="The column of texts; or give --id.")] = None,
    id_column: Annotated[
        str | None, flags.flag("--id", metavar="COL", help="The column of ids that encode was given.")
    ] = None,
    pair: flags.PairColumn = None,
    pair_apart: flags.ApartColumn = None,
    words: flags.WordsColumn = None,
    kind: Annotated[
        str,
        flags.flag(
            "--kind",
            help="auto, single (one class), multi (several labels) or regression (a number); "
            "with --tail also tagging (a tag a word) or span (an answer in a context).",
        ),
    ] = "auto",
    columns: Annotated[
        str | None,
        flags.flag("--columns", metavar="SPEC,...", help="Columns to read; left out, validation chooses among all."),
    ] = None,
    class_weight: Annotated[
        str, flags.flag("--class-weight", help="none, or balanced: rare classes count as much as common ones.")
    ] = "none",
    seed: Annotated[int, flags.flag("--seed", help="Decides which texts are held back for validation.")] = 0,
    refit: Annotated[
        bool, flags.flag("--refit", help="Fit again on the labels and the split that the bank kept; needs no LABELS.")
    ] = False,
    plan: Annotated[
        Path | None,
        flags.flag(
            "--plan",
            metavar="PLAN.json",
            help="Fit the way that this plan advises (embank plan -o PLAN.json); without --task, all of its tasks.",
        ),
    ] = None,
    tail: training.Tail = None,
    cut: training.Cut = None,
    epochs: training.Epochs = None,
    batch: training.BatchSize = 32,
    rate: training.Rate = None,
    patience: training.Patience = 3,
    adapter_width: training.AdapterWidth = 64,
    rank: training.Rank = 16,
    as_format: flags.Format = None,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    encoder: flags.MovedEncoder = None,
    backend: flags.Backend = None,
    dtype: flags.Dtype = None,
    cache: flags.Cache = None,
    local_files_only: flags.Offline = False,
) -> None:
    """Fit a task on banked columns, or a tail on banked states. Texts that the bank lacks are encoded first."""
    if not task and plan is None:
        raise embank.errors.UsageError("name the task: --task NAME")
    if plan is not None and (refit or tail or columns):
        raise embank.errors.UsageError("--plan says what to fit: leave out --refit, --tail and --columns")
    if tail is None and plan is None:
        training.refuse_strays(context)
    options = bank_options(backend, dtype, cache, local_files_only=local_files_only, moved=encoder)
    rows = LabelFiles(files or [], label, text, words, id_column, pair, pair_apart, as_format)
    with embank.Bank.open(bank, options) as opened:
        if plan is not None:
            settings = embank.FitSettings(kind, class_weight=class_weight, seed=seed)
            show = (lambda _: None) if quiet else print_report
            wanted = fit_plan.PlannedFit(plan=plan, rows=rows, task=task, label=label, settings=settings)
            fit_plan.fit_planned(opened, wanted, show, as_json=as_json)
            return
        if refit:
            with training.progress(quiet=quiet or as_json) as train_watch:
                report = opened.refit(task, train_watch=train_watch)
        else:
            labels, given = rows.read()
            chosen = training.Training(epochs, batch, rate, patience, adapter_width, rank).tail(tail, cut)
            if kind in ("tagging", "span") and chosen is None:
                raise embank.errors.UsageError(f"--kind {kind} reads states: give --tail full, adapters or lora")
            specs = tuple(spec for spec in (columns or "").split(",") if spec.strip())
            reads = "together" if pair_apart is None else "apart"
            settings = embank.FitSettings(kind, specs, reads, class_weight, seed, chosen)
            if chosen is not None:
                with training.progress(quiet=quiet or as_json) as train_watch:
                    report = opened.fit(task, labels, settings=settings, train_watch=train_watch, **given)
            else:
                with console.progress(len(labels), quiet=quiet or as_json) as watch:
                    report = opened.fit(task, labels, settings=settings, watch=watch, **given)
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False))
    elif not quiet:
        print_report(report)


def print_report(report: "FitReport") -> None:
    """Say in words what a fit found."""
    what = f"{report.kind}, {len(report.labels)} labels" if report.labels else report.kind
    trained = report.examples - report.held_back
    typer.echo(f"task {report.task}: {what}; {trained:,} training and {report.held_back:,} validation texts")
    for reason, count in report.skipped.items():
        typer.echo(f"  {counted(count, 'row')} left out: {reason}")
    rows = [
        [console.MEASURES[name], f"{report.train[name]:.3f}", f"{value:.3f}", f"{report.baseline[name]:.3f}"]
        for name, value in report.validation.items()
    ]
    guess = "mean" if report.kind == "regression" else "majority"
    console.print_table(
        ["  measure", "train", "validation", guess], [["  " + row[0], *row[1:]] for row in rows], (1, 2, 3)
    )
    if report.columns:
        typer.echo(f"  reads {', '.join(report.columns)}")
    chosen = [
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name}: {value}"
        for name, value in report.chosen.items()
    ]
    trials = [f"{name} {score:.3f}" for name, score in report.tried.items() if name.startswith("one-layer tail")]
    if trials:
        typer.echo(f"  tried {'; '.join(trials)} (of nearly equal ones the latest is taken: it costs least)")
    typer.echo(f"  chose {'; '.join(chosen)}")
    typer.echo(f"  {report.seconds:.1f} s")
    if report.validation[report.measure] <= report.baseline[report.measure]:
        typer.echo(f"  no better than guessing on held-back texts: {_advice(report)}")


def _advice(report: "FitReport") -> str:
    """What to try where nothing was learned."""
    if "cut" in report.chosen:
        return "try more texts, a lower --cut, more --epochs or another --rate"
    return "try more texts, other columns, or a tail (--tail auto)"
