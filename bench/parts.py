"""The store of finished parts: one JSON-lines file per study, to which each finished part appends its line.

A part is named by a key such as `tails/1000-8/trec-full-0`; what stands before the first slash is its study, and the
study's file is `bench/parts/<study>.jsonl`. The last line of a key wins, so a part that is measured again is appended.
A line is on disk before the next part begins, and a last line that was torn by a kill is ignored.

    python bench/parts.py                   # lists the studies
    python bench/parts.py --fold STUDY      # moves bench/parts/STUDY/**/*.json into bench/parts/STUDY.jsonl
"""

import argparse
import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "parts"
"""They are kept in the repository, so that a study of hours can be resumed on another day."""

Part = dict[str, Any]
"""`commit` at which it was measured, `day`, and what was `found`."""


def file_of(key: str, folder: Path = FOLDER) -> Path:
    """The JSON-lines file that holds a key, or a study."""
    return folder / f"{key.partition('/')[0]}.jsonl"


def read(study: str, folder: Path = FOLDER) -> dict[str, Part]:
    """All parts of a study by key, in the order in which the keys were first measured.

    Raises:
        ValueError: for a malformed line before the last, and for a study that still lies in single files.
    """
    if (folder / study).is_dir():
        raise ValueError(f"{folder / study} holds single files: run python bench/parts.py --fold {study}")
    path = file_of(study, folder)
    if not path.is_file():
        return {}
    *whole, _torn = path.read_bytes().split(b"\n")  # the last is empty where nothing was torn
    parts: dict[str, Part] = {}
    for number, line in enumerate(whole, 1):
        try:
            part = json.loads(line)
            parts[part.pop("key")] = part
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: line {number} is malformed: {line[:80]!r}") from error
    return parts


def find(key: str, folder: Path = FOLDER) -> Part | None:
    """A part, or None where it has not been measured yet."""
    return read(key.partition("/")[0], folder).get(key)


def found(key: str) -> Any:
    """What a part found.

    Raises:
        KeyError: where it has not been measured.
    """
    return read(key.partition("/")[0])[key]["found"]


def append(key: str, part: Part, folder: Path = FOLDER) -> None:
    """Add a part; it is on disk when this returns. Several processes may append to one study."""
    line = json.dumps({"key": key, **part}, ensure_ascii=False, allow_nan=True).encode() + b"\n"
    folder.mkdir(parents=True, exist_ok=True)
    with file_of(key, folder).open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)  # what a kill tore
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def fold(study: str, folder: Path = FOLDER) -> int:
    """Move a study's single files into its JSON-lines file, and delete them; returns how many there were.

    A kill in between loses nothing: the files go only after every line has been read back.
    """
    files = sorted((folder / study).rglob("*.json"))
    keys = {str(path.relative_to(folder)).removesuffix(".json"): json.loads(path.read_text()) for path in files}
    for key, part in keys.items():
        append(key, part, folder)
    (folder / study).rename(folder / f"{study}.folded")
    stored = read(study, folder)
    if any(stored[key] != part for key, part in keys.items()):
        (folder / f"{study}.folded").rename(folder / study)
        raise ValueError(f"{file_of(study, folder)} differs from the files in {folder / study}; they are kept")
    shutil.rmtree(folder / f"{study}.folded")
    return len(files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fold", metavar="STUDY", nargs="+", default=[])
    for study in parser.parse_args().fold:
        print(f"{study}: {fold(study)} files moved")
    for path in sorted(FOLDER.glob("*.jsonl")):
        print(f"{path.name}: {len(read(path.stem))} parts")


if __name__ == "__main__":
    main()
