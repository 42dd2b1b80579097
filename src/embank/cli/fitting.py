"""`embank fit`: a task on banked columns, from a file of labels."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import console, flags
from embank.cli.options import bank_options
from embank.cli.sources import Source, rows_of

if TYPE_CHECKING:
    from embank import FitReport

_MEASURES = {
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "exact_match": "all labels right",
    "r2": "R2",
    "rmse": "RMSE",
    "pearson": "Pearson",
    "spearman": "Spearman",
}


def fit(
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
    kind: Annotated[
        str, flags.flag("--kind", help="auto, single (one class), multi (several labels) or regression (a number).")
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
    as_format: flags.Format = None,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    encoder: flags.MovedEncoder = None,
    backend: flags.Backend = None,
    dtype: flags.Dtype = None,
    cache: flags.Cache = None,
    local_files_only: flags.Offline = False,
) -> None:
    """Fit a task on banked columns. Texts that the bank lacks are encoded first."""
    if not task:
        raise embank.errors.UsageError("name the task: --task NAME")
    options = bank_options(backend, dtype, cache, local_files_only=local_files_only, moved=encoder)
    with embank.Bank.open(bank, options) as opened:
        if refit:
            report = opened.refit(task)
        else:
            if not files or label is None:
                raise embank.errors.UsageError("give a file of labels and --label COL, or --refit")
            if (text is None) == (id_column is None):
                raise embank.errors.UsageError("say which rows the labels belong to: --text COL, or --id COL")
            if id_column is not None and (pair or pair_apart):
                raise embank.errors.UsageError("--pair and --pair-apart go with --text, not with --id")
            specs = tuple(spec for spec in (columns or "").split(",") if spec.strip())
            settings = embank.FitSettings(
                kind, specs, "together" if pair_apart is None else "apart", class_weight, seed
            )
            source = Source(files, text or id_column or "", pair, None, as_format)
            found = rows_of(source, [label, *([pair_apart] if pair_apart else [])])
            with console.progress(len(found[label]), quiet=quiet or as_json) as watch:
                given = _texts(found, text, id_column, pair, pair_apart)
                report = opened.fit(task, found[label], settings=settings, watch=watch, **given)
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False))
    elif not quiet:
        _print(report)


def _texts(
    found: dict[str, list[Any]], text: str | None, id_column: str | None, pair: str | None, apart: str | None
) -> dict[str, Any]:
    if text is None:
        return {"ids": found[id_column or ""]}
    if apart is not None:
        return {"texts": found[text], "seconds": found[apart]}
    if pair is not None:
        return {"texts": list(zip(found[text], found[pair], strict=True))}
    return {"texts": found[text]}


def _print(report: "FitReport") -> None:
    what = f"{report.kind}, {len(report.labels)} labels" if report.labels else report.kind
    trained = report.examples - report.held_back
    typer.echo(f"task {report.task}: {what}; {trained:,} training and {report.held_back:,} validation texts")
    for reason, count in report.skipped.items():
        typer.echo(f"  {count:,} rows left out: {reason}")
    rows = [
        [_MEASURES[name], f"{report.train[name]:.3f}", f"{value:.3f}", f"{report.baseline[name]:.3f}"]
        for name, value in report.validation.items()
    ]
    guess = "mean" if report.kind == "regression" else "majority"
    console.print_table(
        ["  measure", "train", "validation", guess], [["  " + row[0], *row[1:]] for row in rows], (1, 2, 3)
    )
    typer.echo(f"  reads {', '.join(report.columns)}")
    chosen = [
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name}: {value}"
        for name, value in report.chosen.items()
    ]
    typer.echo(f"  chose {'; '.join(chosen)}")
    typer.echo(f"  {report.seconds:.1f} s")
