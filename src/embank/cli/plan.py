"""`embank plan`: which way to serve tasks pays, measured on this machine and these texts."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _console as console
from embank.cli import _flags as flags
from embank.cli._labels import LabelFiles
from embank.cli._options import bank_options
from embank.reports.wording import counted

if TYPE_CHECKING:
    from embank import Plan
    from embank.plan import Finding, TaskPlan

_MEGA = 1e6
_WRITTEN = (".html", ".json")


def plan(
    bank: flags.BankPath,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="LABELS...", help="Files with labels beside texts; any format that encode reads."),
    ],
    label: Annotated[
        list[str], flags.flag("--label", metavar="COL", help="A column of labels, one task; repeat it for more tasks.")
    ],
    text: flags.TextColumn = "text",
    pair: flags.PairColumn = None,
    kind: Annotated[
        str, flags.flag("--kind", help="auto, single (one class), multi (several labels) or regression; of every task.")
    ] = "auto",
    tasks: Annotated[
        int | None, flags.flag("--tasks", metavar="N", help="How many tasks there will be; default: one per --label.")
    ] = None,
    texts: Annotated[
        int | None,
        flags.flag(
            "--texts",
            metavar="M",
            help="How many texts each task will be predicted on; default: as many as the bank or LABELS has.",
        ),
    ] = None,
    tolerance: Annotated[
        float, flags.flag("--tolerance", help="Points that a cheaper way may lose to the best one.")
    ] = 0.5,
    minutes: Annotated[float, flags.flag("--minutes", help="The most that measuring may take.")] = 10.0,
    output: Annotated[
        list[Path] | None,
        flags.flag(
            "--output",
            "-o",
            metavar="OUT",
            help="A report to write: .html with figures, or .json for fit --plan; repeat it for both.",
        ),
    ] = None,
    seed: Annotated[int, flags.flag("--seed", help="Of sampling, splits and training.")] = 0,
    as_format: flags.Format = None,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    encoder: flags.MovedEncoder = None,
    backend: flags.Backend = None,
    dtype: flags.Dtype = None,
    cache: flags.Cache = None,
    local_files_only: flags.Offline = False,
) -> None:
    """Measure ways to serve tasks and say which pays: frozen heads, tails, a student, fine-tuning. BANK is read."""
    settings = embank.PlanSettings(tasks=tasks, texts=texts, tolerance=tolerance, minutes=minutes, kind=kind, seed=seed)
    for path in output or ():
        if path.suffix not in _WRITTEN:
            raise embank.errors.UsageError(f"found --output {path}, expected a name that ends in .html or .json")
    options = bank_options(backend, dtype, cache, local_files_only=local_files_only, moved=encoder)
    with embank.Bank.open(bank, options) as opened:
        rows, labels = _read(LabelFiles(files, None, text, None, None, pair, None, as_format), label)
        with _progress(minutes, quiet=quiet or as_json) as watch:
            found = opened.plan(rows, labels, settings, watch)
    for path in output or ():
        written = embank.plan_json(found) if path.suffix == ".json" else embank.plan_html(found)
        path.write_text(written, encoding="utf-8")
    if as_json:
        typer.echo(embank.plan_json(found))
    elif not quiet:
        print_plan(found)
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
    """Show what is being measured, and how much of the time has gone; silent off a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    shown = console.bars("measuring", "s at most; {task.fields[what]}")
    with shown:
        bar = shown.add_task("", total=round(60 * minutes), what="")

        def watch(what: str) -> None:
            shown.update(bar, completed=round(shown.tasks[0].elapsed or 0), what=what)

        yield watch


def print_plan(found: "Plan") -> None:
    """Print what was measured, where ways break even, and what is advised."""
    typer.echo(f"{found.machine}; encoder {found.encoder}")
    typer.echo(
        f"{found.tokens_per_second:,.0f} tokens/s, {found.tokens:.0f} tokens per text; planned for "
        f"{counted(found.tasks, 'task')} and {counted(found.texts, 'text')}; measured in "
        f"{found.seconds:,.0f} of {60 * found.minutes:,.0f} s"
    )
    for one in found.plans:
        _print_task(one)
    _print_balances(found)
    for note in found.notes:
        typer.echo(note)
    for words in found.words:
        typer.echo(f"\n{words}")


def _print_task(one: "TaskPlan") -> None:
    typer.echo()
    measure = console.MEASURES[one.measure]
    typer.echo(f"task {one.task}: {one.kind}, points of {measure}; {counted(one.rows, 'labelled text')}")
    typer.echo(f"  {one.protocol}")
    headers = ["  way", "points", "95 %", "folds", "fit, s", "texts/s", "next task", "bytes", "MFLOP", "in all, s"]
    if one.findings:
        console.print_table(headers, [_cells(finding) for finding in one.findings], tuple(range(1, len(headers))))
    for lacking in one.unmeasured:
        typer.echo(f"  not measured: {lacking.way.title}: {lacking.reason}")


def _cells(found: "Finding") -> list[str]:
    score = found.score
    return [
        f"  {found.way.title}",
        f"{score.points:.1f}",
        f"{score.low:.1f} to {score.high:.1f}",
        f"{score.runs}",
        f"{found.training_seconds:,.1f}",
        f"{found.texts_per_second:,.0f}",
        f"{found.more_per_second:,.0f}",
        f"{found.text_bytes:,.0f}",
        f"{found.text_flops / _MEGA:,.1f}",
        f"{found.total_seconds:,.1f}",
    ]


def _print_balances(found: "Plan") -> None:
    titles = {one.way.name: one.way.title for plan in found.plans for one in plan.findings}
    typer.echo()
    for balance in found.balances:
        if not balance.by_tasks:
            continue
        for axis, changes in (("tasks", balance.by_tasks), ("texts", balance.by_texts)):
            words = "; ".join(f"{titles[change.way]} from {change.at:,}" for change in changes)
            typer.echo(f"cheapest by {axis} ({balance.unit}, bank {balance.bank}): {words}")
