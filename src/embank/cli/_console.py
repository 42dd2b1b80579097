"""What the command line shows: progress on a terminal and nowhere else, tables, sizes and reports in words."""

import json
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

import embank
from embank.reports.wording import counted

if TYPE_CHECKING:
    from embank import EncodeReport, FitReport

SHOWN = 5
"""Faults that are shown; all of them are in the bank."""
_KILO = 1000

MEASURES = {
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "exact_match": "exact match",
    "r2": "R2",
    "rmse": "RMSE",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "entity_f1": "entity F1",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1 of words",
}
"""What measures are called where people read them."""

CHOICES = {"leans towards rare labels": "thresholds adjusted for rare labels"}
"""What choices of a fit are called where people read them; others go by the name that the bank has."""


def bars(before: str, after: str) -> Any:
    """A progress bar on standard error that goes when it is done: words, bar, numbers, words, time left, elapsed."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn(before),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(after),
        TimeRemainingColumn(),
        TextColumn("elapsed:"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


@contextmanager
def progress(total: int | None, *, quiet: bool) -> "Iterator[Callable[[EncodeReport], None]]":
    """Show rows, texts a second and the time left while an encoding run goes on; silent where it is not a terminal.

    Args:
        total: rows to come, or None where nobody knows.
        quiet: show nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    shown = bars("encoding", "rows, {task.fields[speed]:,.0f} texts/s, left:")
    with shown:
        bar = shown.add_task("", total=total, speed=0.0)

        def watch(report: "EncodeReport") -> None:
            encoded = report.new + report.completed
            done = min(report.known + encoded + report.n_faults, report.rows)
            shown.update(bar, completed=done, speed=encoded / max(report.encoding_seconds or report.seconds, 1e-9))

        yield watch


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C, or termination signal, ask for an orderly stop; the second one stops at once."""
    asked = False

    def ask(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        typer.echo("\nstopping after this batch; what is encoded will be kept (again to stop at once)", err=True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def print_faults(report: "EncodeReport", *, then: str = "") -> None:
    """List rows that could not be encoded on standard error."""
    if not report.n_faults:
        return
    typer.echo(f"{report.n_faults:,} of {counted(report.rows, 'row')} could not be encoded{then}:", err=True)
    for fault in report.faults[:SHOWN]:
        typer.echo(f"  {fault.source}, row {fault.position}: {fault.reason}", err=True)
    if report.n_faults > SHOWN:
        typer.echo("  ... 'embank info BANK --json' lists all of them; mend them and encode again", err=True)


def print_report(report: "EncodeReport", *, quiet: bool) -> None:
    """Say in words what an encoding run did; faults go to standard error."""
    print_faults(report)
    if quiet:
        return
    encoded = report.new + report.completed
    parts = [f"{counted(report.rows, 'row')}: {counted(report.new, 'new text')}"]
    if report.completed:
        parts.append(f"{counted(report.completed, 'known text')} completed")
    parts.append(f"{report.known:,} known already")
    typer.echo(", ".join(parts))
    if encoded:
        speed = encoded / max(report.encoding_seconds, 1e-9)
        typer.echo(f"{report.seconds:,.1f} s, {speed:,.0f} texts/s while encoding")
    else:
        typer.echo(f"nothing to encode; looked up in {report.seconds:,.1f} s")
    if report.cut:
        typer.echo(f"{counted(report.cut, 'text')} cut to the longest input of the encoder (--long windows reads all)")
    if report.unkept:
        typer.echo(f"states of {counted(report.unkept, 'text')} were not stored (--states-budget reached)")
    if report.moved:
        typer.echo(f"{report.moved:,} ids named another text before; the old texts stay until they are forgotten")


def print_json(content: Mapping[str, Any]) -> None:
    """Print one JSON object; a path is its name, a tuple a list."""
    typer.echo(json.dumps(content, ensure_ascii=False, default=str))


def snake(words: str) -> str:
    """Words as a key of JSON.

    >>> snake("class weights"), snake("R2"), snake("states computed")
    ('class_weights', 'r2', 'states_computed')
    """
    return re.sub(r"\W+", "_", words.strip().lower())


def record(report: Any) -> dict[str, Any]:
    """A report for JSON: every key is a name in snake_case, words are values."""
    return {name: _named(value) for name, value in asdict(report).items()}


def fit_record(report: "FitReport") -> dict[str, Any]:
    """The report of a fit for JSON."""
    return {
        **record(report),
        "skipped": [{"reason": reason, "rows": rows} for reason, rows in report.skipped.items()],
        "tried": [{"trial": name, "score": score} for name, score in report.tried.items()],
    }


def _named(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {snake(CHOICES.get(str(name), str(name))): _named(part) for name, part in value.items()}
    return [_named(part) for part in value] if isinstance(value, (list, tuple)) else value


def listed(names: Sequence[str], most: int = 2) -> str:
    """Names on one line, the first of many.

    >>> listed(["a", "b", "c", "d"]), listed(["a", "b"])
    ('a, b and 2 more', 'a, b')
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print aligned columns; those in `right` are flush right."""
    widths = [max(len(row[at]) for row in (headers, *rows)) for at in range(len(headers))]
    for row in (headers, *rows):
        cells = [
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        typer.echo("  ".join(cells).rstrip())


def size(number: float) -> str:
    """Bytes for people.

    >>> size(999), size(1_234_567)
    ('999 B', '1.23 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if number < _KILO:
            return f"{number:.0f} B" if unit == "B" else f"{number:.3g} {unit}"
        number /= _KILO
    return f"{number:.3g} TB"


def size_of(written: str) -> int:
    """Bytes as people write them.

    >>> size_of("20GB"), size_of("1.5 kB"), size_of("64MiB"), size_of("1000")
    (20000000000, 1500, 67108864, 1000)

    Raises:
        UsageError: that is no size.
    """
    found = re.fullmatch(r"\s*([0-9.]+)\s*([kKMGT]?)(i?)[bB]?\s*", written)
    try:
        number = float(found[1]) if found else -1.0
    except ValueError:
        number = -1.0
    if found is None or number < 0:
        raise embank.errors.UsageError(f"{written!r} is no size; write it as 500MB, 20GB or 1.5TB")
    step = 1024 if found[3] else _KILO
    return int(number * step ** ("", "K", "M", "G", "T").index(found[2].upper()))


def rows_in(files: Sequence[Path]) -> int | None:
    """About how many rows files have, for the time left; None where counting would be reading."""
    return embank.tables.estimated_rows(files) if sys.stderr.isatty() else None
