"""`embank encode`: texts of files into columns of a bank."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Annotated

import typer

import embank
from embank.cli import _console as console
from embank.cli import _flags as flags
from embank.cli._input import Source, paired_blocks, text_blocks
from embank.cli._options import bank_options
from embank.reports.wording import counted

_WEIGHED = 128
"""Texts that read-or-recompute is measured on."""

if TYPE_CHECKING:
    from embank import Bank, TextBlock


def encode(
    bank: flags.BankPath,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUT...",
            help="CSV, TSV, JSONL, Parquet, one text a line, a folder saved by datasets, "
            "or - for standard input. Left out, the texts that the bank keeps are used.",
        ),
    ] = None,
    text: flags.TextColumn = "text",
    words: flags.WordsColumn = None,
    pair: flags.PairColumn = None,
    pair_apart: flags.ApartColumn = None,
    id_column: flags.IdColumn = None,
    columns: Annotated[
        str | None,
        flags.flag(
            "--columns",
            metavar="SPEC,...",
            help="Columns to fill, as in minilm/2/mean@int8,minilm/6/mean. "
            "Left out, the bank's own; a new bank gets the encoder's defaults.",
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        flags.flag(
            "--encoder",
            help="minilm, a folder, or a hub name (org/model@revision); NAME=... names it.  [default: minilm]",
        ),
    ] = None,
    prefixes: Annotated[
        str | None,
        flags.flag(
            "--prefixes",
            help="Of a trunk with prefixes: together (all in one pass) or apart (columns for each); left out, what the "
            "trunk itself says.",
        ),
    ] = None,
    codec: Annotated[
        str | None,
        flags.flag(
            "--codec",
            help="Precision of columns that name none: float32, float16, int8, int4 or binary.  [default: float16]",
        ),
    ] = None,
    long: Annotated[
        str | None,
        flags.flag(
            "--long", help="Texts longer than the encoder reads: cut, or windows that are averaged.  [default: cut]"
        ),
    ] = None,
    prompt: Annotated[
        str | None, flags.flag("--prompt", help="Put before every text; left out, what the encoder's folder says.")
    ] = None,
    max_tokens: Annotated[
        int | None, flags.flag("--max-tokens", help="The longest input; left out, what the encoder's folder says.")
    ] = None,
    truncation: Annotated[
        str | None, flags.flag("--truncation", help="The side on which long texts are cut: right or left.")
    ] = None,
    states: Annotated[
        str,
        flags.flag(
            "--states",
            help="Keep states as well, for tails to start from: none, a layer's number, or auto "
            "(half of the depth, if reading them from this disk beats recomputing them).",
        ),
    ] = "none",
    states_budget: Annotated[
        str | None,
        flags.flag(
            "--states-budget",
            metavar="SIZE",
            help="What all states may weigh together, as in 20GB; beyond it they are computed when they are needed.",
        ),
    ] = None,
    keep_text: Annotated[
        bool,
        flags.flag(
            "--keep-text",
            help="Keep the texts themselves, compressed, so that columns can be added without the files; "
            "with --words they always are.",
        ),
    ] = False,
    as_format: flags.Format = None,
    backend: flags.Backend = None,
    dtype: flags.Dtype = None,
    cache: flags.Cache = None,
    local_files_only: flags.Offline = False,
    quiet: flags.Quiet = False,
) -> None:
    """Encode texts into a bank. What it has already is not encoded again; run it again to go on after a stop."""
    reading = embank.ReadingOptions(prompt, max_tokens, truncation, long)
    run = embank.EncodeSettings(states_budget=None if states_budget is None else console.size_of(states_budget))
    options = bank_options(backend, dtype, cache, reading=reading, local_files_only=local_files_only, run=run)
    blocks: "Iterator[TextBlock]" = iter(())
    source = Source(files or [], text, pair, id_column, as_format, words)
    specs = [spec for spec in (columns or "").split(",") if spec.strip()]
    encoder = _combined(encoder, prefixes)
    if files:  # looked at before a bank is made for them
        blocks = text_blocks(source) if pair_apart is None else chain.from_iterable(paired_blocks(source, pair_apart))
    else:
        _check_kept(specs, states)
    fresh = bool(files) and not bank.exists()
    try:
        with (
            (embank.Bank.open_or_create if files else embank.Bank.open)(bank, options) as opened,
            console.progress(console.rows_in(files or []), quiet=quiet) as watch,
            console.interruptible() as stop,
        ):
            if files:
                blocks, layer = _weighed(opened, blocks, (states, encoder), quiet=quiet)
                if states == "auto" and layer is None and not specs:  # "do not bank states" holds for those it has, too
                    there = [column.name for column in opened.summary().columns]
                    specs = [name for name in there if "/states" not in name]
                report = opened.encode(
                    blocks,
                    columns=specs,
                    encoder=encoder,
                    codec=codec,
                    states=layer,
                    # Offsets of words are the text's own: a tagging task finds them in it, without the file.
                    keep_text=keep_text or words is not None,
                    watch=watch,
                    stop=stop,
                )
            else:
                report = opened.encode_kept(specs, watch=watch, stop=stop)
            summary = None if quiet else opened.summary()
    except embank.errors.EmbankError:
        if fresh:
            _remove_empty(bank)
        raise
    console.print_report(report, quiet=quiet)
    if summary is not None:
        computed = {one.name: one.compute for one in summary.encoders}
        for name, compute in computed.items():
            typer.echo(f"encoder {name}: {compute}")
        weight = console.size(summary.bytes["total"])
        each = summary.bytes["total"] / max(summary.texts, 1)
        held = f"{counted(summary.texts, 'text')}, {counted(len(summary.columns), 'column')}"
        typer.echo(f"{bank}: {held}, {weight} ({each:,.0f} bytes a text)")
    if report.interrupted:
        typer.echo("stopped early: run the same command again to go on", err=True)
        raise typer.Exit(130)


def _combined(encoder: str | None, prefixes: str | None) -> str | None:
    """An encoder with how its prefixes are read, as `locate` takes it."""
    if prefixes is None:
        return encoder
    if prefixes not in ("together", "apart"):
        raise embank.errors.UsageError(f"found --prefixes {prefixes}, expected together or apart")
    if encoder is None:
        raise embank.errors.UsageError("--prefixes says how a trunk is read: name it with --encoder TRUNK")
    return f"{encoder}#{prefixes}"


def _check_kept(specs: list[str], states: str) -> None:
    """Refuse flags that make no sense where the bank's own texts are encoded."""
    if states != "none":
        message = "--states needs files; for texts that the bank keeps, name the column: --columns minilm/3/states"
        raise embank.errors.UsageError(message)
    if not specs:
        raise embank.errors.UsageError("give files to encode, or --columns to fill for the texts that the bank keeps")


def _weighed(
    bank: "Bank", blocks: "Iterator[TextBlock]", asked: tuple[str, str | None], *, quiet: bool
) -> "tuple[Iterator[TextBlock], int | None]":
    """Measure read-or-recompute on the first texts, say which wins, and give the layer whose states are kept."""
    states, encoder = asked
    if states == "none":
        return blocks, None
    if states != "auto" and not states.isdecimal():
        raise embank.errors.UsageError(f"found --states {states}, expected none, auto, or a layer's number")
    first = next(blocks, None)
    if first is None:
        return blocks, None
    blocks = chain([first], blocks)
    layer = int(states) if states != "auto" else None
    verdict = bank.weigh_states(first.texts[:_WEIGHED], layer, encoder)
    if not quiet:
        typer.echo(str(verdict))
    if states == "auto" and not verdict.banks:
        return blocks, None
    return blocks, int(verdict.column.split("/")[1])


def _remove_empty(bank: Path) -> None:
    """Remove a bank that was made for a command which was then refused."""
    with embank.Bank.open(bank) as opened:
        empty = not len(opened) and not opened.summary().columns
    if empty:
        rmtree(bank)
