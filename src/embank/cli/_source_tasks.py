"""The file that lists source tasks: TOML, one `[[source]]` each, paths beside the file itself."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import embank
from embank.cli._labels import LabelFiles

if TYPE_CHECKING:
    from embank import Source, Target

APART = "apart"
TOGETHER = "together"
"""How both texts of a pair are read."""

_NAMES = {"name", "files", "validation", "test", "text", "words", "pair", "label", "kind", "weight", "reads", "format"}


@dataclass(frozen=True)
class SourceEntry:
    """One `[[source]]` of the file.

    Attributes:
        place: the folder that its paths start from.
        entry: its keys.
    """

    place: Path
    entry: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Of the task."""
        return str(self.entry["name"])

    def source(self) -> "Source":
        """Read its rows.

        Raises:
            InputError: a file that cannot be read, or lacks a column.
            HeadError: labels that do not fit the kind.
        """
        texts, labels = self._rows("files")
        reads = str(self.entry.get("reads", TOGETHER))
        held = self._rows("validation") if "validation" in self.entry else None
        kind, weight = str(self.entry.get("kind", "auto")), float(self.entry.get("weight", 1.0))
        return embank.Source(
            name=self.name, texts=texts, labels=labels, kind=kind, weight=weight, reads=reads, validation=held
        )

    def target(self) -> "Target":
        """Read its rows as a task that a frozen representation is tried on."""
        return embank.Target(self.source(), self._rows("test") if "test" in self.entry else None)

    def _rows(self, which: str) -> tuple[list[Any], list[Any]]:
        paths = self.entry[which]
        listed = [paths] if isinstance(paths, str) else list(paths)
        entry = self.entry
        labels, given = LabelFiles(
            files=[self.place / path for path in listed],
            label=str(entry["label"]),
            text=entry.get("text"),
            words=entry.get("words"),
            pair=entry.get("pair"),
            as_format=entry.get("format"),
        ).read()
        return given["texts"], labels


def read_source_file(path: Path) -> list[SourceEntry]:
    """Read the list of source tasks; their rows are read later.

    Raises:
        UsageError: no such file, no TOML, or an entry that lacks a key or has a strange one.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise embank.errors.UsageError(f"{path} cannot be read: {fault.strerror}") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise embank.errors.UsageError(f"{path} is not a TOML file: {fault}") from fault
    entries = content.get("source")
    strange = [key for key in content if key != "source"]
    if strange or not isinstance(entries, list) or not entries:
        found = f"the key {strange[0]!r}" if strange else "no [[source]]"
        raise embank.errors.UsageError(
            f"{path} has {found}; expected one [[source]] per task, with name, files and label"
        )
    for number, entry in enumerate(entries, start=1):
        _check(path, number, entry)
    names = [str(entry["name"]) for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise embank.errors.UsageError(f"{path} has two sources named {twice!r}: give each its own name")
    return [SourceEntry(path.parent, entry) for entry in entries]


def _check(path: Path, number: int, entry: Any) -> None:
    where = f"source {number} of {path}"
    if not isinstance(entry, dict):
        raise embank.errors.UsageError(f"{where} is not a table: write [[source]] and its keys below")
    missing = [key for key in ("name", "files", "label") if key not in entry]
    if missing:
        raise embank.errors.UsageError(f"{where} has no {missing[0]}")
    strange = [key for key in entry if key not in _NAMES]
    if strange:
        raise embank.errors.UsageError(f"{where} has the key {strange[0]!r}; known are: {', '.join(sorted(_NAMES))}")
    for key in ("files", "validation", "test"):
        paths = entry.get(key, [])
        if not isinstance(paths, str) and not (isinstance(paths, list) and all(isinstance(one, str) for one in paths)):
            raise embank.errors.UsageError(f"{where} has the {key} {paths!r}, expected a path or a list of paths")
    if ("text" in entry) == ("words" in entry):
        raise embank.errors.UsageError(f"{where} needs either text or words, the name of a column")
    if entry.get("reads", TOGETHER) not in (TOGETHER, APART):
        raise embank.errors.UsageError(f"{where} reads {entry['reads']!r}; expected {TOGETHER!r} or {APART!r}")
    if entry.get("reads") == APART and "pair" not in entry:
        raise embank.errors.UsageError(f"{where} reads texts apart and has no pair, the column of second texts")
    weight = entry.get("weight", 1.0)
    if not isinstance(weight, int | float) or not weight > 0:
        raise embank.errors.UsageError(f"{where} has the weight {weight!r}, expected a number above 0")
