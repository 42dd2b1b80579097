"""Replay: one fixed walk on a base commit and on the working tree, compared artefact by artefact.

    python bench/replay --base COMMIT [--fast] [--keep FOLDER] [--all]

Both sides run now, on this machine, in one process and thread each, with the same installed libraries and this folder's
walk. The exit status is 1 where an artefact differs or a step failed on either side.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from compare import Compared, compare

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
_QUIET = {
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS"), "1"
    ),
    "HF_HUB_OFFLINE": "1",
    "PYTHONHASHSEED": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "CUDA_VISIBLE_DEVICES": "",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="replay", description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, metavar="COMMIT", help="what the working tree is compared with")
    parser.add_argument("--fast", action="store_true", help="the fake and the tiny encoder only, without minilm")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what both sides left in this new folder")
    parser.add_argument("--all", action="store_true", help="list every artefact, not only those that differ")
    asked = parser.parse_args()
    if asked.keep:
        asked.keep.mkdir(parents=True)
        sys.exit(replay(asked, asked.keep.resolve()))
    with tempfile.TemporaryDirectory(prefix="embank-replay-") as work:
        sys.exit(replay(asked, Path(work).resolve()))


def replay(asked: argparse.Namespace, work: Path) -> int:
    """Run both sides, print how they compare; returns the exit status."""
    check_out(asked.base, work / "checkout")
    sides = {"base": work / "checkout" / "src", "here": ROOT / "src"}
    running = {side: start(sources, work, side, fast=asked.fast) for side, sources in sides.items()}
    ended = {side: process.wait() for side, process in running.items()}
    for side, code in ended.items():
        if code:
            print(f"the walk on {side} ended with status {code}:\n{(work / f'{side}.log').read_text()[-3000:]}")
            return 1
    said = {side: json.loads((work / side / "walk.json").read_text()) for side in sides}
    return report(compare(work / "base", work / "here"), said, every=asked.all)


def check_out(commit: str, target: Path) -> None:
    """The sources of a commit, from an archive: no worktree is registered that a kill would leave behind."""
    packed = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, capture_output=True, check=False)  # noqa: S607
    if packed.returncode:
        sys.exit(f"replay: {packed.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(target, filter="data")


def start(sources: Path, work: Path, side: str, *, fast: bool) -> subprocess.Popen[bytes]:
    """Start one side's walk in a process of its own, with a home of its own and no setting of Embank's."""
    home = work / f"{side}-home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EMBANK_")}
    environment |= {**_QUIET, "HOME": str(home), "PYTHONPATH": str(sources)}
    command = [sys.executable, str(HERE / "walk.py"), str(work / side), str(sources), *(["--fast"] if fast else [])]
    with (work / f"{side}.log").open("w") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)


def report(compared: list[Compared], said: dict[str, Any], *, every: bool) -> int:
    """Print what differs, failed steps, and a count per kind of artefact; returns the exit status."""
    failed = {f"{side}: {step}": trace for side, walked in said.items() for step, trace in walked["failed"].items()}
    for step, trace in failed.items():
        print(f"FAILED     {step}\n{trace}")
    for one in compared:
        if one.difference:
            print(f"different  {one.name}\n           {one.difference}")
        elif every:
            print(f"equal      {one.name}")
    counts, differing = Counter(), Counter()
    for one in compared:
        kind = one.name.split("/")[0]
        counts[kind] += 1
        differing[kind] += one.difference is not None
    print(f"\n{'artefacts':<12}{'equal':>8}{'different':>12}")
    for kind, count in counts.items():
        print(f"{kind:<12}{count - differing[kind]:>8}{differing[kind]:>12}")
    for side, walked in said.items():
        left_out = f"; left out: {', '.join(walked['skipped'])}" if walked["skipped"] else ""
        print(f"{side}: {len(walked['seconds'])} steps in {sum(walked['seconds'].values()):.0f} s{left_out}")
    sound = not failed and not differing.total() and bool(compared)
    print("equal" if sound else f"NOT equal: {differing.total()} artefacts differ, {len(failed)} steps failed")
    return 0 if sound else 1


if __name__ == "__main__":
    main()
