"""What every benchmark needs: the machine and the commit, a place for finished parts, and lines in RESULTS.md."""

import json
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

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"
WORK = HERE / "bulk"
"""Banks, trunks and other bulk of running studies; not kept in the repository."""

PARTS = HERE / "parts"
"""Finished parts of long studies, one small JSON file each with the commit that it was measured at. They are kept in
the repository, so that a study of hours can be gone on with another day; delete a part to have it measured again."""

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


def record(section: str, lines: list[str]) -> None:
    """Add what was measured to a section of RESULTS.md, with machine, commit and command."""
    command = " ".join(["python", f"bench/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    day = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    block = [f"{day} UTC, commit {commit()}, `{command}`, {machine()}", "", *lines, ""]
    if _used - {commit()}:
        block[-1:] = ["", f"Parts were measured at commits {', '.join(sorted(_used))}.", ""]
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else "# Results\n"
    heading = f"## {section}\n"
    if heading not in text:
        text = text.rstrip("\n") + f"\n\n{heading}"
    before, after = text.split(heading, 1)
    RESULTS.write_text(f"{before}{heading}\n" + "\n".join(block) + after, encoding="utf-8")
    print("\n".join(block))


def kept(name: str, make: Callable[[], Any]) -> Any:
    """A finished part of a long measurement: read where it is on disk, measured and written where it is not."""
    path = PARTS / f"{name}.json"
    if not path.is_file():
        part = {"commit": commit(), "day": f"{datetime.now(UTC):%Y-%m-%d}", "found": make()}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(part) + "\n")
    part = json.loads(path.read_text())
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
