"""`embank prefix`: one trained prefix per source task, on an encoder that stays as it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _console as console
from embank.cli import _training as training
from embank.cli._bundles import command
from embank.cli._flags import (
    COLUMNS,
    DEFAULT_TEXT,
    ENCODER,
    ROWS,
    TASK,
    TRAINING,
    ApartColumn,
    Format,
    Label,
    PairColumn,
    Printed,
    TextOrNone,
    Trained,
    WordsColumn,
    argument,
    flag,
)
from embank.cli._source_tasks import SourceEntry, read_source_file
from embank.reports.wording import MEASURES, size

if TYPE_CHECKING:
    from embank.encoders.prefix.folder import StoredPrefix
    from embank.prefix.prefixes import DroppedColumn
    from embank.prefix.train import PrefixSettings, TrainedPrefix

app = typer.Typer(
    help="Train a prefix per source task on a frozen encoder.",
    no_args_is_help=True,
)

ADD_EXAMPLES = (
    "embank prefix add models/house tickets.csv --source urgency --text body --label urgent",
    "embank prefix add models/house --sources sources.toml",
)
REPLACE_EXAMPLES = (
    "embank prefix replace models/house new.csv --source urgency --label urgent --bank bank",
    "embank prefix replace models/house --sources sources.toml --source urgency",
)
REMOVE_EXAMPLES = (
    "embank prefix remove models/house urgency",
    "embank prefix remove models/house urgency topic --bank bank",
)
LIST_EXAMPLES = (
    "embank prefix list models/house",
    "embank prefix list models/house --json",
)

Folder = Annotated[Path, argument("FOLDER", "The folder of the encoder with its prefixes.")]
Files = Annotated[list[Path] | None, argument("FILE...", "Files with rows of one source task; or give --sources.")]
Banks = Annotated[
    list[Path] | None,
    flag(COLUMNS, "--bank", metavar="BANK", help="Delete columns of this bank that the change makes void; repeatable."),
]


@dataclass(frozen=True, kw_only=True)
class SourceRows:
    """Which source tasks are learned."""

    source: str | None = TASK.option(
        None, "Name of the source task; with --sources, which of its entries.", metavar="NAME"
    )
    sources: Path | None = ROWS.option(
        None,
        "TOML file of source tasks, as `embank multitask train` reads it: all that have no prefix yet, or --source.",
        metavar="FILE",
    )
    text: TextOrNone = None
    words: WordsColumn = None
    label: Label = None
    pair: PairColumn = None
    pair_apart: ApartColumn = None
    kind: str = TASK.option(
        "auto",
        "auto, single, multi, regression or tagging.",
        words=("auto", "single", "multi", "regression", "tagging"),
    )
    format: Format = None

    def entries(self, files: Sequence[Path]) -> list[SourceEntry]:
        """The source tasks that were named.

        Raises:
            UsageError: flags that contradict each other, or too few of them.
        """
        if self.sources is not None:
            return self._listed(self.sources, files)
        if not files or self.source is None or self.label is None:
            raise embank.errors.UsageError(
                "say what is learned: --source NAME FILE --text COL (or --words COL) --label COL, or --sources FILE"
            )
        if self.text is not None and self.words is not None:
            raise embank.errors.UsageError("give --text or --words, not both")
        text = self.text or (DEFAULT_TEXT if self.words is None else None)
        columns = {"text": text, "words": self.words, "label": self.label, "pair": self.pair_apart or self.pair}
        given = {
            **columns,
            "format": self.format,
            "kind": self.kind,
            "reads": "apart" if self.pair_apart else "together",
        }
        entry = {key: value for key, value in given.items() if value is not None}
        return [SourceEntry(Path(), {"name": self.source, "files": [str(path) for path in files], **entry})]

    def _listed(self, path: Path, files: Sequence[Path]) -> list[SourceEntry]:
        if files or self.text or self.words or self.label:
            raise embank.errors.UsageError(
                "--sources names files and columns itself: leave out FILE, --text and --label"
            )
        entries = read_source_file(path)
        if self.source is None:
            return entries
        found = [entry for entry in entries if entry.name == self.source]
        if not found:
            known = ", ".join(entry.name for entry in entries)
            raise embank.errors.UsageError(f"{path} has no source {self.source!r}; it has: {known}")
        return found


@dataclass(frozen=True, kw_only=True)
class PrefixFlags(training.Loop, training.SourceHead, Trained):
    """How a prefix is trained, and on which encoder."""

    rows: int | None = ROWS.option(None, "Most training rows. [default: all]")
    length: int = TRAINING.option(16, "Positions of the prefix.")
    from_layer: int = TRAINING.option(
        0, "No prefix below layer K: what is below is computed once for all.", metavar="K"
    )
    reparametrise: bool = TRAINING.option(
        True, "While training, a small MLP makes the prefix; it is folded away at the end.", "--reparametrise/--plain"
    )
    encoder: str | None = ENCODER.option(
        None, "What a new folder stands on: minilm, a folder or a hub name. [default: minilm]"
    )
    prefixes: str | None = ENCODER.option(
        None,
        "How a new folder is read: apart (columns for each prefix) or together. [default: apart]",
        words=("apart", "together"),
    )

    def folder(self, folder: Path, banks: list[Path] | None) -> "embank.Prefixes":
        """The folder of prefixes, and the banks that lose columns by a change."""
        return embank.Prefixes(folder, self.options(), banks=banks or [])

    def prefix(self) -> "PrefixSettings":
        """Settings of a prefix.

        Raises:
            UsageError: an unknown word, or a number that no prefix can have.
        """
        return embank.PrefixSettings(
            training=self.settings(),
            length=self.length,
            from_layer=self.from_layer,
            reparametrise=self.reparametrise,
            most=self.rows,
            reads=self.layers,
        )


@command(app, ADD_EXAMPLES)
def add(
    folder: Folder,
    rows: SourceRows,
    how: PrefixFlags,
    printed: Printed,
    files: Files = None,
    bank: Banks = None,
) -> None:
    """Train a prefix for a source task that has none yet.

    The first one makes the folder.
    """
    _train(how.folder(folder, bank), rows, how, printed, rows.entries(files or []))


@command(app, REPLACE_EXAMPLES)
def replace(
    folder: Folder,
    rows: SourceRows,
    how: PrefixFlags,
    printed: Printed,
    files: Files = None,
    bank: Banks = None,
) -> None:
    """Train a source task's prefix anew.

    Until that is done, the old one stays.
    """
    _train(how.folder(folder, bank), rows, how, printed, rows.entries(files or []), replacing=True)


def _train(
    prefixes: "embank.Prefixes",
    rows: SourceRows,
    how: PrefixFlags,
    printed: Printed,
    entries: list[SourceEntry],
    *,
    replacing: bool = False,
) -> None:
    """Train what was named, and say what came of each."""
    settings = how.prefix()
    _check_combination(prefixes, how.prefixes)
    records = []
    for entry in _chosen(prefixes, entries, named=rows.source is not None, replacing=replacing):
        with training.progress(quiet=printed.silent) as watch:
            if replacing:
                change = prefixes.replace(entry.source(), settings, watch=watch)
            else:
                change = prefixes.add(entry.source(), settings, encoder=how.encoder, combine=how.prefixes, watch=watch)
        found, dropped = change.trained, _told(change.dropped)
        records.append({**_record(found.record), "dropped": dropped})
        if not printed.silent:
            _print_trained(prefixes.folder, found)
            _print_dropped(dropped)
    if printed.as_json:
        console.print_json({"prefixes": records})


@command(app, REMOVE_EXAMPLES)
def remove(
    folder: Folder,
    names: Annotated[list[str], argument("NAME...", "Prefixes to remove.")],
    printed: Printed,
    bank: Banks = None,
) -> None:
    """Remove prefixes.

    Their files go, and in banks that are named the columns that they made.
    """
    prefixes = embank.Prefixes(folder, banks=bank or [])
    removed = []
    for name in names:
        dropped = _told(prefixes.remove(name))
        removed.append({"name": name, "dropped": dropped})
        if not printed.silent:
            typer.echo(f"removed prefix {name}; {len(prefixes.names)} left")
            _print_dropped(dropped)
    if printed.as_json:
        console.print_json({"removed": removed})


@command(app, LIST_EXAMPLES, name="list")
def list_prefixes(folder: Folder, printed: Printed) -> None:
    """List prefixes, what they learned from, and how well."""
    prefixes = embank.Prefixes(folder).read()
    if printed.as_json:
        listed = [
            {
                "name": one.name,
                "digest": one.digest,
                "length": one.length,
                "from_layer": one.from_layer,
                **_record(one.record),
            }
            for one in prefixes.prefixes
        ]
        console.print_json({"encoder": prefixes.reference.encoder, "prefixes": listed})
    elif not printed.quiet:
        typer.echo(f"{folder}: on {prefixes.reference.encoder}, read {prefixes.reference.combine}")
        rows = [_listed(one) for one in prefixes.prefixes]
        titles = ["source", "kind", "rows", "length", "from layer", "measure", "validation", "baseline", "bytes"]
        console.print_table(titles, rows, (2, 3, 4, 6, 7, 8))


def _record(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a prefix learned from, for JSON."""
    return {**record, "source": console.source_record(record["source"])} if "source" in record else dict(record)


def _listed(prefix: "StoredPrefix") -> list[str]:
    source = prefix.record.get("source", {})
    scores = [f"{source[name]:.3f}" if name in source else "-" for name in ("score", "guess")]
    counts = [f"{source['rows']:,}" if "rows" in source else "-", str(prefix.length), str(prefix.from_layer)]
    measure = MEASURES.get(source.get("measure", ""), "-")
    weight = size(prefix.path.stat().st_size)
    return [prefix.name, source.get("kind", "-"), *counts, measure, *scores, weight]


def _chosen(
    prefixes: "embank.Prefixes", entries: list[SourceEntry], *, named: bool, replacing: bool
) -> list[SourceEntry]:
    """Those that are to be trained: where none was named, those that the folder has (to replace) or lacks (to add).

    Raises:
        UsageError: nothing is to be done, or a name is there already or is not.
    """
    names = [prefix.name for prefix in prefixes.read().prefixes] if replacing else prefixes.names
    for entry in entries:
        prefixes.check_name(entry.name)
    chosen = [entry for entry in entries if (entry.name in names) == replacing]
    if not chosen or (named and len(chosen) < len(entries)):
        listed, known = ", ".join(entry.name for entry in entries), ", ".join(sorted(names)) or "none"
        instead = "add" if replacing else "replace"
        raise embank.errors.UsageError(
            f"{prefixes.folder} has the prefixes: {known}; found {listed}: use embank prefix {instead}"
        )
    return chosen


def _check_combination(prefixes: "embank.Prefixes", combine: str | None) -> None:
    own = prefixes.read().reference.combine if prefixes.folder.exists() else combine
    if combine not in (None, own):
        raise embank.errors.UsageError(
            f"{prefixes.folder} is read {own}; embank encode --prefixes {combine} reads it otherwise"
        )


def _told(dropped: "Sequence[DroppedColumn]") -> dict[str, list[str]]:
    """Which columns banks lost, and what is to be fitted again."""
    return {f"{one.bank}: {one.column}": [f"{one.bank} --refit --task {task}" for task in one.tasks] for one in dropped}


def _print_dropped(dropped: dict[str, list[str]]) -> None:
    for column in dropped:
        typer.echo(f"  dropped {column}")
    for reader in dict.fromkeys(reader for readers in dropped.values() for reader in readers):
        typer.echo(f"  a task that used these columns needs refitting: embank fit {reader}")


def _print_trained(folder: Path, found: "TrainedPrefix") -> None:
    source = found.source
    typer.echo(
        f"{folder}: prefix {source.name}, {found.keys.shape[1]} positions from layer {found.from_layer} on; "
        f"{source.kind}, {source.rows:,} training and {source.held_back:,} validation texts"
    )
    passes = ", ".join(f"{score:.3f}" for score in found.passes)
    measure = MEASURES[source.measure]
    typer.echo(
        f"  {measure} {source.score:.3f}, baseline {source.guess:.3f}; after each pass {passes}: pass "
        f"{found.best} is kept; {found.steps:,} steps in {found.seconds:.0f} s{', resumed' if found.resumed else ''}"
    )
