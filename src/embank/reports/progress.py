"""Progress of long work on standard error: a bar on a terminal or in a notebook, elsewhere a line now and then."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final, Protocol, TypeVar

EVERY: Final = 30.0
"""Seconds between plain lines: a log of a long job shows life, and stays short."""


class HasProgress(Protocol):
    """What a progress callback is given: how far the work is."""

    @property
    def done(self) -> int:
        """Units that are done."""

    @property
    def total(self) -> int | None:
        """Units in all, or None where that is not known."""

    @property
    def state(self) -> str:
        """The rest in a few words, such as "rows, 55 texts/s"."""


@dataclass(frozen=True)
class Step:
    """How far work is that has no report of its own."""

    done: int
    total: int | None
    state: str


Now = TypeVar("Now", bound=HasProgress)

Show = Callable[[HasProgress], None]
"""A progress callback that shows what it is given."""


@contextmanager
def shown(what: str, total: int | None = None, *, on: bool = True) -> Iterator[Show]:
    """Show progress while the block runs.

    Args:
        what: is being done, in a word or two.
        total: units in all where the work itself does not know.
        on: False shows nothing.
    """
    if not on:
        yield lambda _: None
    elif sys.stderr.isatty() or _in_notebook():
        with _bar(what, total) as show:
            yield show
    else:
        with _lines(what, total) as show:
            yield show


@contextmanager
def watched(
    what: str, watch: Callable[[Now], None], total: int | None = None, *, on: bool
) -> Iterator[Callable[[Now], None]]:
    """A progress callback that also shows what it is given, where that is wanted."""
    if not on:
        yield watch
        return
    with shown(what, total) as show:

        def both(now: Now) -> None:
            show(now)
            watch(now)

        yield both


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Show]:
    """A bar that goes when the work is done."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    words, left = TextColumn("{task.description}"), TextColumn("{task.fields[state]}, left:")
    columns = (words, BarColumn(), MofNCompleteColumn(), left, TimeRemainingColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=not _in_notebook()), transient=True) as bars:
        bar = bars.add_task(what, total=total, state="starting")
        yield lambda now: bars.update(bar, completed=now.done, total=now.total or total, state=now.state)


@contextmanager
def _lines(what: str, total: int | None) -> Iterator[Show]:
    """A plain line every EVERY seconds."""
    lines, over = Lines(what, total), threading.Event()
    thread = threading.Thread(target=lines.run, args=(over.wait,), daemon=True)
    thread.start()
    try:
        yield lines.show
    finally:
        over.set()
        thread.join()


class Lines:
    """The latest progress, as a line for a log."""

    def __init__(self, what: str, total: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to count seconds."""
        self._what, self._total, self._clock = what, total, clock
        self._began = clock()
        self._now: HasProgress = Step(0, None, "starting")

    def show(self, now: HasProgress) -> None:
        """Keep what the next line says."""
        self._now = now

    def run(self, wait: Callable[[float], bool]) -> None:
        """Write a line each time that `wait` returns False, which it does after so many seconds."""
        while not wait(EVERY):
            print(self.line(), file=sys.stderr, flush=True)  # noqa: T201 - somebody asked for progress

    def line(self) -> str:
        """What is being done, how far it is, and for how long.

        >>> lines = Lines("encoding", 900, clock=iter([0.0, 75.0]).__next__)
        >>> lines.show(Step(60, None, "rows, 2 texts/s"))
        >>> lines.line()
        'encoding: 60 of 900 rows, 2 texts/s; 0:01:15'
        """
        total = self._now.total or self._total
        done = f"{self._now.done:,}{f' of {total:,}' if total else ''} " if self._now.done or total else ""
        minutes, seconds = divmod(int(self._clock() - self._began), 60)
        return f"{self._what}: {done}{self._now.state}; {minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _in_notebook() -> bool:
    """Whether this is a notebook that can show a bar: without ipywidgets, rich warns instead."""
    python = sys.modules.get("IPython")
    shell = python.get_ipython() if python is not None and hasattr(python, "get_ipython") else None
    return type(shell).__name__ == "ZMQInteractiveShell" and find_spec("ipywidgets") is not None
