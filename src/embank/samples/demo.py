# ruff: noqa: T201 - it is run to be read
"""What `make demo` runs: from messages in a file to predictions in a file, command by command.

    python -m embank.samples.demo [FOLDER]

Every line that begins with `$` can be typed as it stands; what follows is what it printed.
"""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from embank.samples import SUPPORT

TASKS = ("urgent", "topic", "tags", "satisfaction")
"""The label columns of the sample: one of two, one of eight, any number of ten, a number."""

_MARK = ".made-by-embank-demo"
_COMMAND = (sys.executable, "-c", "from embank.cli import main; main()")


def main() -> None:
    """Make a bank of the sample in a folder, fit four tasks, predict them all, say what came of it."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    _clear(folder)
    bank, messages = folder / "bank", folder / "messages.csv"
    messages.write_bytes(SUPPORT.read_bytes())
    print(f"The sample is copied to {messages}. Encode its messages once:")
    _run("encode", bank, messages, "--text", "message", "--id", "id")
    print("\nA second time, there is nothing to do:")
    _run("encode", bank, messages, "--text", "message", "--id", "id")
    print("\nFit four tasks on what is stored; no text is encoded again:")
    for task in TASKS:
        _run("fit", bank, messages, "--task", task, "--label", task, "--id", "id")
    print("\nPredict all four for every text, in one pass:")
    for name in ("predictions.parquet", "predictions.csv"):
        _run("predict", bank, "--output", folder / name)
    print("\nCheck every byte:")
    _run("verify", bank)
    _sum_up(folder, bank)


def _clear(folder: Path) -> None:
    """Remove what an older run left; a folder that this did not make is left alone."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / _MARK).is_file():
            sys.exit(f"demo: {folder} is not empty and was not made by this demo; name another folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _MARK).touch()


def _run(*arguments: str | Path) -> None:
    """Show a command, run it, let it print."""
    words = [str(word) for word in arguments]
    print(f"\n$ {shlex.join(['embank', *words])}", flush=True)
    status = subprocess.run([*_COMMAND, *words], check=False).returncode  # noqa: S603 - our own command line
    if status:
        sys.exit(status)


def _answer(command: str, bank: Path) -> Any:
    """What a command says as JSON."""
    said = subprocess.run([*_COMMAND, command, str(bank), "--json"], check=True, capture_output=True)  # noqa: S603 - as above
    return json.loads(said.stdout)


def _sum_up(folder: Path, bank: Path) -> None:
    """Per task its validation score beside the baseline, the weight of the bank, and where the predictions lie."""
    summary = _answer("info", bank)
    print("\nOn messages that were held back:\n")
    print(f"  {'task':<14}{'measure':<10}{'score':>7}   guessing the majority, or the mean")
    for task in sorted(_answer("tasks", bank)["tasks"], key=lambda task: TASKS.index(task["name"])):
        print(f"  {task['name']:<14}{task['measure']:<10}{task['score']:>7.3f}   {task['baseline']:.3f}")
    weight, texts = summary["bytes"]["total"], summary["texts"]
    print(f"\nThe bank {bank} has {texts:,} texts and weighs {weight:,} bytes, tasks and catalogue included.")
    print(f"The predictions are in {folder / 'predictions.parquet'} and {folder / 'predictions.csv'}.")
    print(f"\nGo on: embank predict {shlex.quote(str(bank))} FILE --text COLUMN, or read docs/tutorial.md.")


if __name__ == "__main__":
    main()
