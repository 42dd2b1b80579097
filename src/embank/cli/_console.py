"""What the command line shows: progress on a terminal and nowhere else, tables, sizes and reports in words."""

import json
import re
import shutil
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
from embank.reports.progress import shown
from embank.reports.sheet import Sheet, Table
from embank.reports.wording import CHOICES, counted

if TYPE_CHECKING:
    from embank import EncodeReport, FitReport, ProjectionReport
    from embank.multitask import MultitaskReport

SHOWN = 5
"""Faults that are shown; all of them are in the bank."""
_KILO = 1000


@contextmanager
def progress(total: int | None, *, quiet: bool) -> "Iterator[Callable[[EncodeReport], None]]":
    """Show rows, phase and speed of an encoding run; `total` rows are to come, or None where nobody knows."""
    with shown("encoding", total, on=not quiet) as show:
        yield show


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C, or termination signal, ask for an orderly stop; the second one stops at once."""
    stopping = False

    def ask(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            raise KeyboardInterrupt
        stopping = True
        typer.echo("\nstopping after this batch; what is encoded will be kept (again to stop at once)", err=True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: stopping
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
    """Say in words what an encoding run did; faults and seconds go to standard error."""
    print_faults(report)
    if not quiet:
        if report.encoded:
            typer.echo(report.timing, err=True)
        typer.echo(str(report))


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


def source_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """What became of a source task, for JSON: what guessing scores is the baseline."""
    return {("baseline" if name == "guess" else name): value for name, value in record.items()}


def print_passes(report: "ProjectionReport | MultitaskReport", digits: int) -> None:
    """Say how training went, pass by pass."""
    typer.echo(f"after each pass {', '.join(f'{s:.{digits}f}' for s in report.passes)}: pass {report.best} is kept")
    typer.echo(f"{report.steps:,} steps in {report.seconds:.0f} s{', resumed' if report.resumed else ''}")


def _named(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {snake(CHOICES.get(str(name), str(name))): _named(part) for name, part in value.items()}
    return [_named(part) for part in value] if isinstance(value, (list, tuple)) else value


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print aligned columns; those in `right` are flush right."""
    _print_table(Table(titles, rows, right))


def _print_table(table: Table) -> None:
    """Print a table; on a terminal, a line ends where its width does."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in str(table).splitlines():
        typer.echo(line if width is None or len(line) <= width else f"{line[: width - 1]}…")


def print_sheet(sheet: Sheet) -> None:
    """Print a report of lines and tables."""
    for part in sheet.parts():
        if isinstance(part, Table):
            _print_table(part)
        else:
            typer.echo(part)


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
