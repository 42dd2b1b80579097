"""What every benchmark needs: the machine and the commit, finished parts, a block in the log, and its claims."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import claims
import parts

HERE = Path(__file__).resolve().parent
LOG = HERE / "log"
"""The diary, one file per month, to which blocks are appended and in which nothing is changed."""

WORK = HERE / "bulk"
"""Banks, trunks and other bulk of running studies; not kept in the repository."""

_used: set[str] = set()
"""Commits at which the parts of this run were measured."""


def data_folder() -> Path:
    """Where the public data sets lie: EMBANK_BENCH_DATA, or `shared/data` beside the repository."""
    folder = Path(os.environ.get("EMBANK_BENCH_DATA", HERE.parent.parent / "shared" / "data"))
    if not folder.is_dir():
        sys.exit(f"no data sets at {folder}: set EMBANK_BENCH_DATA to a folder with classify/, text/ and so on")
    return folder


def machine() -> str:
    """The processor and what of it there is."""
    name = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.is_file():
        models = [line for line in described.read_text().splitlines() if line.startswith("model name")]
        name = models[0].partition(":")[2].strip() if models else name
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB"


def commit() -> str:
    """The commit that is measured, with a plus sign where files differ from it."""
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True)  # noqa: S607
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--", "../src"],  # noqa: S607
        cwd=HERE,
        capture_output=True,
        text=True,
        check=True,
    )
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def command() -> str:
    """The command line of this run, without the folder that it was started in."""
    return " ".join(["python", f"bench/{Path(sys.argv[0]).name}", *sys.argv[1:]])


def record(section: str, lines: list[str]) -> None:
    """Append what was measured to this month's log, with day, commit, command and machine."""
    now = datetime.now(UTC)
    block = [
        f"## {section}",
        "",
        f"{now:%Y-%m-%d %H:%M} UTC, commit {commit()}, `{command()}`, {machine()}",
        "",
        *lines,
    ]
    if _used - {commit()}:
        block += ["", f"Parts were measured at commits {', '.join(sorted(_used))}."]
    month = LOG / f"{now:%Y-%m}.md"
    month.parent.mkdir(exist_ok=True)
    with month.open("a", encoding="utf-8") as file:
        if not file.tell():
            file.write(f"# Log of {now:%B %Y}\n")
        file.write("\n" + "\n".join(block) + "\n")
    print("\n".join(block))


def claim(name: str, figure: str, *, section: str = "", sentence: str = "", target: str = "") -> None:
    """Put the figure of a claim into bench/claims.jsonl, with machine, commit, day and command of this run.

    Args:
        name: its id, such as `search.int8.batch`.
        figure: as a document shows it, with its unit: "4.4 times".
        section: a key of claims.SECTIONS; a claim that is known keeps what is left out here.
        sentence: what is claimed, in one plain sentence.
        target: "at least 4 times", "at most 200 MB", "within 0.2 points", or "-".
    """
    known = claims.read().get(name)
    if known is None and not (section and sentence):
        raise ValueError(f"claim {name} is new: give its section and its sentence")
    claims.put(
        claims.Claim(
            id=name,
            section=section or (known.section if known else ""),
            claim=sentence or (known.claim if known else ""),
            figure=figure,
            target=target or (known.target if known else "-"),
            verdict="-",
            machine=machine(),
            commit=commit(),
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            command=command(),
            parts=known.parts if known else "",
        )
    )


def kept(name: str, make: Callable[[], Any]) -> Any:
    """A finished part of a long measurement: read from bench/parts, or else measured and appended."""
    part = parts.find(name)
    if part is None:
        found = make()
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        part = {"commit": commit(), "day": day, "machine": machine(), "found": found}
        parts.append(name, part)
    _used.add(part["commit"])
    return part["found"]


class Clock:
    """Seconds of a `with timed()` block."""

    seconds = 0.0


@contextmanager
def timed() -> Iterator[Clock]:
    """Time a block."""
    clock = Clock()
    start = time.perf_counter()
    yield clock
    clock.seconds = time.perf_counter() - start
