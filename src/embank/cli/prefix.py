"""`embank prefix`: one prefix a source task, on an encoder that stays as it is."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _console as console
from embank.cli import _flags as flags
from embank.cli import _training as training
from embank.cli._source_tasks import SourceEntry, read_source_file
from embank.optional import load

if TYPE_CHECKING:
    from embank.encoders.prefix.folder import PrefixTrunk, StoredPrefix, TrunkReference
    from embank.prefix.train import PrefixSettings, TrainedPrefix

app = typer.Typer(
    help="A frozen encoder with a trained prefix for each source task; each is added, replaced or removed alone.",
    no_args_is_help=True,
)

TrunkPath = Annotated[Path, typer.Argument(metavar="TRUNK", help="The trunk's folder.", show_default=False)]
Files = Annotated[
    list[Path] | None,
    typer.Argument(metavar="FILE...", help="Rows of one source task; or give --sources.", show_default=False),
]
SourceName = Annotated[
    str | None, flags.flag("--source", metavar="NAME", help="The source task; with --sources, which of its entries.")
]
SourceList = Annotated[
    Path | None,
    flags.flag(
        "--sources",
        metavar="FILE",
        help="The file of sources that `embank multitask train` reads: all that have no prefix yet, or --source.",
    ),
]
Text = Annotated[str | None, flags.flag("--text", metavar="COL", help="The column of texts.")]
Label = Annotated[str | None, flags.flag("--label", metavar="COL", help="The column of labels.")]
Kind = Annotated[str, flags.flag("--kind", help="auto, single, multi, regression or tagging.")]
Length = Annotated[int, flags.flag("--length", help="Positions of the prefix.")]
FromLayer = Annotated[
    int,
    flags.flag("--from-layer", metavar="K", help="No prefix below layer K: what is below is computed once for all."),
]
Reparametrise = Annotated[
    bool, flags.flag("--reparametrise/--plain", help="In training, a small MLP makes the prefix; it is folded away.")
]
EncoderPlace = Annotated[
    str | None,
    flags.flag("--encoder", help="What a new trunk stands on: minilm, a folder or a hub name.  [default: minilm]"),
]
Combine = Annotated[
    str | None,
    flags.flag(
        "--prefixes", help="How a new trunk is read: apart (columns for each prefix) or together.  [default: apart]"
    ),
]
MaxTokens = Annotated[
    int | None, flags.flag("--max-tokens", help="The longest input; left out, what the encoder's folder says.")
]
Epochs = Annotated[
    int | None, flags.flag("--epochs", help="Most passes over the source.  [default: 4, or enough for 300 steps]")
]
Rows = Annotated[int | None, flags.flag("--rows", help="Training rows at most.  [default: all]")]
Reads = Annotated[
    str, flags.flag("--reads", help="What the source's head reads: default (the layers of default columns) or last.")
]
Seed = Annotated[int, flags.flag("--seed", help="Of the split, the order and the first weights.")]
Banks = Annotated[
    list[Path] | None,
    flags.flag("--bank", metavar="BANK", help="Drop the columns that this makes void from this bank; again for more."),
]


@dataclass(frozen=True)
class Asked:
    """What a user said of a trunk that prefixes are trained for."""

    trunk: Path
    settings: "PrefixSettings"
    encoder: str | None
    combine: str | None
    reading: "embank.ReadingOptions"
    offline: bool
    quiet: bool


def _trainer(*, replacing: bool) -> Callable[..., None]:
    """The command that adds prefixes, or the one that replaces them: the same flags."""

    def train(
        trunk: TrunkPath,
        files: Files = None,
        source: SourceName = None,
        sources: SourceList = None,
        text: Text = None,
        words: flags.WordsColumn = None,
        label: Label = None,
        pair: flags.PairColumn = None,
        pair_apart: flags.ApartColumn = None,
        kind: Kind = "auto",
        as_format: flags.Format = None,
        length: Length = 16,
        from_layer: FromLayer = 0,
        reparametrise: Reparametrise = True,
        encoder: EncoderPlace = None,
        prefixes: Combine = None,
        epochs: Epochs = None,
        batch: training.BatchSize = 32,
        rate: training.Rate = None,
        patience: training.Patience = 3,
        rows: Rows = None,
        reads: Reads = "default",
        max_tokens: MaxTokens = None,
        seed: Seed = 0,
        bank: Banks = None,
        as_json: flags.AsJson = False,
        quiet: flags.Quiet = False,
        local_files_only: flags.Offline = False,
    ) -> None:
        columns = {"text": text, "words": words, "label": label, "pair": pair_apart or pair, "format": as_format}
        given = {**columns, "kind": kind, "reads": "apart" if pair_apart else "together"}
        entries = _entries(files or [], source, sources, given)
        loop = embank.TrainingSettings(epochs=epochs, batch=batch, rate=rate, patience=patience, seed=seed)
        settings = _settings(loop, (length, from_layer, rows), reads, reparametrise=reparametrise)
        reading = embank.ReadingOptions(max_tokens=max_tokens)
        asked = Asked(trunk, settings, encoder, prefixes, reading, local_files_only, quiet or as_json)
        chosen = _chosen(asked, entries, named=source is not None, replacing=replacing)
        for found, orphaned in _trained(asked, chosen, bank or []):
            if as_json:
                typer.echo(json.dumps({"dropped": orphaned, **found.record}, ensure_ascii=False))
            elif not quiet:
                _print_trained(trunk, found)
                _print_dropped(orphaned)

    return train


app.command("add", help="Train a prefix for a source task that the trunk does not have; a new trunk is made for it.")(
    _trainer(replacing=False)
)
app.command("replace", help="Train a source task's prefix anew; until that is done, the old one stays.")(
    _trainer(replacing=True)
)


@app.command()
def remove(
    trunk: TrunkPath,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Prefixes to remove.", show_default=False)],
    bank: Banks = None,
    quiet: flags.Quiet = False,
) -> None:
    """Remove prefixes without a trace: their files, and in banks that are named the columns that they made."""
    folder = load("embank.encoders.prefix.folder", "torch")
    for name in names:
        there = folder.read_prefix_trunk(trunk)
        gone = there.named(name)
        dropped = _dropped(bank or [], trunk, {gone.digest, folder.digest_together(there.prefixes)})
        folder.drop_prefix(trunk, name)
        if not quiet:
            typer.echo(f"removed prefix {name}; {len(there.prefixes) - 1} left")
            _print_dropped(dropped)


@app.command("list")
def list_prefixes(trunk: TrunkPath, as_json: flags.AsJson = False) -> None:
    """List a trunk's prefixes: length, what they learned from, and how well."""
    there = load("embank.encoders.prefix.folder", "torch").read_prefix_trunk(trunk)
    if as_json:
        listed = [
            {"name": one.name, "digest": one.digest, "length": one.length, "from_layer": one.from_layer, **one.record}
            for one in there.prefixes
        ]
        typer.echo(json.dumps({"encoder": there.reference.encoder, "prefixes": listed}, ensure_ascii=False))
        return
    typer.echo(f"{trunk}: on {there.reference.encoder}, read {there.reference.combine}")
    rows = [_listed(one) for one in there.prefixes]
    titles = ["source", "kind", "rows", "length", "from layer", "measure", "validation", "guessing", "bytes"]
    console.print_table(titles, rows, (2, 3, 4, 6, 7, 8))


def _listed(prefix: "StoredPrefix") -> list[str]:
    source = prefix.record.get("source", {})
    scores = [f"{source[name]:.3f}" if name in source else "-" for name in ("score", "guess")]
    counts = [f"{source['rows']:,}" if "rows" in source else "-", str(prefix.length), str(prefix.from_layer)]
    weight = console.size(prefix.path.stat().st_size)
    return [prefix.name, source.get("kind", "-"), *counts, source.get("measure", "-"), *scores, weight]


def _entries(
    files: Sequence[Path], source: str | None, sources: Path | None, given: dict[str, Any]
) -> list[SourceEntry]:
    """The source tasks that were named.

    Raises:
        UsageError: flags that contradict each other, or too few of them.
    """
    if sources is not None:
        if files or given["text"] or given["words"] or given["label"]:
            raise embank.errors.UsageError(
                "--sources names files and columns itself: leave out FILE, --text and --label"
            )
        entries = read_source_file(sources)
        if source is None:
            return entries
        found = [entry for entry in entries if entry.name == source]
        if not found:
            known = ", ".join(entry.name for entry in entries)
            raise embank.errors.UsageError(f"{sources} has no source {source!r}; it has: {known}")
        return found
    if not files or source is None or given["label"] is None or (given["text"] is None) == (given["words"] is None):
        raise embank.errors.UsageError(
            "say what is learned: --source NAME FILE --text COL (or --words COL) --label COL, or --sources FILE.toml"
        )
    entry = {key: value for key, value in given.items() if value is not None}
    return [SourceEntry(Path(), {"name": source, "files": [str(path) for path in files], **entry})]


def _settings(
    loop: "embank.TrainingSettings", numbers: tuple[int, int, int | None], reads: str, *, reparametrise: bool
) -> "PrefixSettings":
    from embank.fit.source_tasks import READS

    known = next((word for word in READS if word == reads), None)
    if known is None:
        raise embank.errors.UsageError(f"--reads {reads!r} is unknown; there are: {', '.join(READS)}")
    length, from_layer, rows = numbers
    made: PrefixSettings = load("embank.prefix.train", "torch").PrefixSettings(
        training=loop, length=length, from_layer=from_layer, reparametrise=reparametrise, most=rows, reads=known
    )
    return made


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
    if asked.combine not in (None, own):
        raise embank.errors.UsageError(
            f"{asked.trunk} is read {own}; embank encode --prefixes {asked.combine} reads it otherwise"
        )


def _trained(
    asked: Asked, entries: Sequence[SourceEntry], banks: Sequence[Path]
) -> "Iterator[tuple[TrainedPrefix, dict[str, list[str]]]]":
    """Train prefixes one by one, each put in its place when it is done; and what banks lose by it."""
    opening = load("embank.encoders.load", "torch")
    folder = load("embank.encoders.prefix.folder", "torch")
    trunk = asked.trunk
    stands_on = folder.read_prefix_trunk(trunk).reference.encoder if trunk.exists() else opening.DEFAULT
    place = asked.encoder or stands_on
    located = opening.locate(place, asked.reading, local_files_only=asked.offline)
    reading = located.reading
    reference: TrunkReference = folder.TrunkReference(
        located.origin, reading.weights, reading.tokenizer, located.layers, located.width, asked.combine or folder.APART
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
        typer.echo(f"  a task read them and is refused until it is fitted again: embank fit {reader}")


def _print_trained(trunk: Path, found: "TrainedPrefix") -> None:
    source = found.source
    typer.echo(
        f"{trunk}: prefix {source.name}, {found.keys.shape[1]} positions from layer {found.from_layer} on; "
        f"{source.kind}, {source.rows:,} training and {source.held_back:,} validation texts"
    )
    passes = ", ".join(f"{score:.3f}" for score in found.passes)
    typer.echo(
        f"  {source.measure} {source.score:.3f}, guessing {source.guess:.3f}; after each pass {passes}: pass "
        f"{found.best} is kept; {found.steps:,} steps in {found.seconds:.0f} s{', resumed' if found.resumed else ''}"
    )
