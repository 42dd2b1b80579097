"""`embank prefix`: one trained prefix per source task, on an encoder that stays as it is."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _completion as completion
from embank.cli import _console as console
from embank.cli import _training as training
from embank.cli._bundles import command
from embank.cli._flags import (
    COLUMNS,
    COMPUTE,
    ENCODER,
    ROWS,
    TASK,
    TRAINING,
    ApartColumn,
    Format,
    Label,
    MaxTokens,
    PairColumn,
    Printed,
    WordsColumn,
    argument,
    flag,
)
from embank.cli._labels import DEFAULT_TEXT
from embank.cli._source_tasks import SourceEntry, read_source_file
from embank.optional import load

if TYPE_CHECKING:
    from embank.encoders.prefix.folder import PrefixTrunk, StoredPrefix, TrunkReference
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

    source: Annotated[
        str | None,
        flag(TASK, "--source", metavar="NAME", help="Name of the source task; with --sources, which of its entries."),
    ] = None
    sources: Annotated[
        Path | None,
        flag(
            ROWS,
            "--sources",
            metavar="FILE",
            help="TOML file of source tasks, as `embank multitask train` reads it: all that have no prefix yet, or "
            "--source.",
        ),
    ] = None
    text: Annotated[str | None, flag(ROWS, "--text", metavar="COL", help="Column of texts.", default=DEFAULT_TEXT)] = (
        None
    )
    words: WordsColumn = None
    label: Label = None
    pair: PairColumn = None
    pair_apart: ApartColumn = None
    kind: Annotated[
        str,
        flag(
            TASK,
            "--kind",
            help="auto, single, multi, regression or tagging.",
            complete=completion.words("auto", "single", "multi", "regression", "tagging"),
        ),
    ] = "auto"
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
class PrefixFlags(training.Loop):
    """How a prefix is trained, and on which encoder."""

    epochs: Annotated[
        int | None,
        flag(TRAINING, "--epochs", help="Most passes over the source.", default="4, or enough for 300 steps"),
    ] = None
    rows: Annotated[int | None, flag(ROWS, "--rows", help="Most training rows.", default="all")] = None
    length: Annotated[int, flag(TRAINING, "--length", help="Positions of the prefix.")] = 16
    from_layer: Annotated[
        int,
        flag(
            TRAINING,
            "--from-layer",
            metavar="K",
            help="No prefix below layer K: what is below is computed once for all.",
        ),
    ] = 0
    reparametrise: Annotated[
        bool,
        flag(
            TRAINING,
            "--reparametrise/--plain",
            help="While training, a small MLP makes the prefix; it is folded away at the end.",
        ),
    ] = True
    reads: Annotated[
        str,
        flag(
            TRAINING,
            "--reads",
            help="What the source's head reads: default (the layers of default columns) or last.",
            complete=completion.words("default", "last"),
        ),
    ] = "default"
    encoder: Annotated[
        str | None,
        flag(
            ENCODER, "--encoder", help="What a new folder stands on: minilm, a folder or a hub name.", default="minilm"
        ),
    ] = None
    prefixes: Annotated[
        str | None,
        flag(
            ENCODER,
            "--prefixes",
            help="How a new folder is read: apart (columns for each prefix) or together.",
            default="apart",
            complete=completion.words("apart", "together"),
        ),
    ] = None
    max_tokens: MaxTokens = None
    local_files_only: Annotated[
        bool, flag(COMPUTE, "--local-files-only", help="Download nothing: use encoders that are here already.")
    ] = False

    def prefix(self) -> "PrefixSettings":
        """Settings of a prefix.

        Raises:
            UsageError: an unknown word, or a number that no prefix can have.
        """
        from embank.fit.source_tasks import READS

        reads = next((word for word in READS if word == self.reads), None)
        if reads is None:
            raise embank.errors.UsageError(f"unknown --reads {self.reads!r}: use {' or '.join(READS)}")
        made: PrefixSettings = load("embank.prefix.train", "torch").PrefixSettings(
            training=self.settings(),
            length=self.length,
            from_layer=self.from_layer,
            reparametrise=self.reparametrise,
            most=self.rows,
            reads=reads,
        )
        return made


@dataclass(frozen=True)
class Asked:
    """What a user said of a folder that prefixes are trained for."""

    trunk: Path
    settings: "PrefixSettings"
    flags: PrefixFlags
    quiet: bool


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
    _train(Asked(folder, how.prefix(), how, printed.silent), rows.entries(files or []), rows, bank or [], printed)


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
    _train(
        Asked(folder, how.prefix(), how, printed.silent),
        rows.entries(files or []),
        rows,
        bank or [],
        printed,
        replacing=True,
    )


def _train(
    asked: Asked,
    entries: list[SourceEntry],
    rows: SourceRows,
    banks: Sequence[Path],
    printed: Printed,
    *,
    replacing: bool = False,
) -> None:
    """Train what was named, and say what came of each."""
    chosen = _chosen(asked, entries, named=rows.source is not None, replacing=replacing)
    records = []
    for found, orphaned in _trained(asked, chosen, banks):
        source = {("baseline" if name == "guess" else name): value for name, value in found.record["source"].items()}
        records.append({**found.record, "source": source, "dropped": orphaned})
        if not printed.silent:
            _print_trained(asked.trunk, found)
            _print_dropped(orphaned)
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
    library = load("embank.encoders.prefix.folder", "torch")
    removed = []
    for name in names:
        there = library.read_prefix_trunk(folder)
        gone = there.named(name)
        dropped = _dropped(bank or [], folder, {gone.digest, library.digest_together(there.prefixes)})
        library.drop_prefix(folder, name)
        removed.append({"name": name, "dropped": dropped})
        if not printed.silent:
            typer.echo(f"removed prefix {name}; {len(there.prefixes) - 1} left")
            _print_dropped(dropped)
    if printed.as_json:
        console.print_json({"removed": removed})


@command(app, LIST_EXAMPLES, name="list")
def list_prefixes(folder: Folder, printed: Printed) -> None:
    """List prefixes, what they learned from, and how well."""
    there = load("embank.encoders.prefix.folder", "torch").read_prefix_trunk(folder)
    if printed.as_json:
        listed = [
            {"name": one.name, "digest": one.digest, "length": one.length, "from_layer": one.from_layer, **one.record}
            for one in there.prefixes
        ]
        console.print_json({"encoder": there.reference.encoder, "prefixes": listed})
    elif not printed.quiet:
        typer.echo(f"{folder}: on {there.reference.encoder}, read {there.reference.combine}")
        rows = [_listed(one) for one in there.prefixes]
        titles = ["source", "kind", "rows", "length", "from layer", "measure", "validation", "baseline", "bytes"]
        console.print_table(titles, rows, (2, 3, 4, 6, 7, 8))


def _listed(prefix: "StoredPrefix") -> list[str]:
    source = prefix.record.get("source", {})
    scores = [f"{source[name]:.3f}" if name in source else "-" for name in ("score", "guess")]
    counts = [f"{source['rows']:,}" if "rows" in source else "-", str(prefix.length), str(prefix.from_layer)]
    measure = console.MEASURES.get(source.get("measure", ""), "-")
    weight = console.size(prefix.path.stat().st_size)
    return [prefix.name, source.get("kind", "-"), *counts, measure, *scores, weight]


def _chosen(asked: Asked, entries: list[SourceEntry], *, named: bool, replacing: bool) -> list[SourceEntry]:
    """Those that are to be trained: where none was named, those that the trunk has (to replace) or lacks (to add).

    Raises:
        UsageError: nothing is to be done, or a name is there already or is not.
    """
    folder = load("embank.encoders.prefix.folder", "torch")
    there = folder.read_prefix_trunk(asked.trunk) if replacing or asked.trunk.exists() else None
    names = {prefix.name for prefix in there.prefixes} if there else set()
    for entry in entries:
        folder.valid_prefix_name(entry.name)
    if there is not None:
        _check_combination(asked, there)
    chosen = [entry for entry in entries if (entry.name in names) == replacing]
    if not chosen or (named and len(chosen) < len(entries)):
        listed, known = ", ".join(entry.name for entry in entries), ", ".join(sorted(names)) or "none"
        instead = "add" if replacing else "replace"
        raise embank.errors.UsageError(
            f"{asked.trunk} has the prefixes: {known}; found {listed}: use embank prefix {instead}"
        )
    return chosen


def _check_combination(asked: Asked, there: "PrefixTrunk") -> None:
    own = there.reference.combine
    if asked.flags.prefixes not in (None, own):
        raise embank.errors.UsageError(
            f"{asked.trunk} is read {own}; embank encode --prefixes {asked.flags.prefixes} reads it otherwise"
        )


def _trained(
    asked: Asked, entries: Sequence[SourceEntry], banks: Sequence[Path]
) -> "Iterator[tuple[TrainedPrefix, dict[str, list[str]]]]":
    """Train prefixes one by one, each put in its place when it is done; and what banks lose by it."""
    opening = load("embank.encoders.load", "torch")
    folder = load("embank.encoders.prefix.folder", "torch")
    trunk = asked.trunk
    stands_on = folder.read_prefix_trunk(trunk).reference.encoder if trunk.exists() else opening.DEFAULT
    place = asked.flags.encoder or stands_on
    located = opening.locate(
        place, embank.ReadingOptions(max_tokens=asked.flags.max_tokens), local_files_only=asked.flags.local_files_only
    )
    reading = located.reading
    reference: TrunkReference = folder.TrunkReference(
        located.origin,
        reading.weights,
        reading.tokenizer,
        located.layers,
        located.width,
        asked.flags.prefixes or folder.APART,
    )
    if trunk.exists():
        known = folder.read_prefix_trunk(trunk).reference
        if (known.weights, known.tokenizer) != (reference.weights, reference.tokenizer):
            raise embank.errors.EncoderError(f"{trunk} stands on {stands_on}, and {place} has other weights or tokens")
    encoder = opening.open_encoder(located, "torch", "float32", Path.home() / ".cache" / "embank")
    for entry in entries:
        found = _train_one(asked, encoder, entry)
        if not trunk.exists():
            trunk.parent.mkdir(parents=True, exist_ok=True)
            folder.create_prefix_trunk(trunk, reference)
        there = folder.read_prefix_trunk(trunk)
        void = {folder.digest_together(there.prefixes)} if len(there.prefixes) > 1 else set()
        void |= {prefix.digest for prefix in there.prefixes if prefix.name == entry.name}
        dropped = _dropped(banks, trunk, void)
        folder.put_prefix(trunk, entry.name, (found.keys, found.values), found.from_layer, found.record)
        _checkpoint(asked, entry).unlink(missing_ok=True)
        yield found, dropped


def _train_one(asked: Asked, encoder: Any, entry: SourceEntry) -> "TrainedPrefix":
    prefixes = load("embank.prefix.train", "torch")
    checkpoint = _checkpoint(asked, entry)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    with training.progress(quiet=asked.quiet) as watch:
        found: TrainedPrefix = prefixes.train_prefix(encoder, entry.source(), asked.settings, checkpoint, watch)
    return found


def _checkpoint(asked: Asked, entry: SourceEntry) -> Path:
    return asked.trunk.with_name(f"{asked.trunk.name}.{entry.name}.training.safetensors")


def _dropped(banks: Sequence[Path], trunk: Path, digests: Collection[str]) -> dict[str, list[str]]:
    """Drop columns that had these prefixes, or all of a trunk's, from banks; says which, and which tasks read them."""
    found: dict[str, list[str]] = {}
    for bank in banks:
        columns = load("embank.prefix.columns", "torch").columns_under(bank, trunk, digests)
        with embank.Bank.open(bank) as opened:
            for column in columns:
                found[f"{bank}: {column}"] = [f"{bank} --refit --task {task}" for task in opened.forget_column(column)]
    return found


def _print_dropped(dropped: dict[str, list[str]]) -> None:
    for column in dropped:
        typer.echo(f"  dropped {column}")
    for reader in dict.fromkeys(reader for readers in dropped.values() for reader in readers):
        typer.echo(f"  a task that used these columns needs refitting: embank fit {reader}")


def _print_trained(trunk: Path, found: "TrainedPrefix") -> None:
    source = found.source
    typer.echo(
        f"{trunk}: prefix {source.name}, {found.keys.shape[1]} positions from layer {found.from_layer} on; "
        f"{source.kind}, {source.rows:,} training and {source.held_back:,} validation texts"
    )
    passes = ", ".join(f"{score:.3f}" for score in found.passes)
    measure = console.MEASURES[source.measure]
    typer.echo(
        f"  {measure} {source.score:.3f}, baseline {source.guess:.3f}; after each pass {passes}: pass "
        f"{found.best} is kept; {found.steps:,} steps in {found.seconds:.0f} s{', resumed' if found.resumed else ''}"
    )
