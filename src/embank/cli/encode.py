"""`embank encode`: texts of files into columns of a bank."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import embank
from embank.cli import _completion as completion
from embank.cli import _console as console
from embank.cli._flags import (
    CODECS,
    COLUMNS,
    ENCODER,
    BankPath,
    Compute,
    MaxTokens,
    Printed,
    TextRows,
    argument,
    listed,
)
from embank.cli._input import Source, paired_blocks, text_blocks
from embank.reports.wording import counted, size

if TYPE_CHECKING:
    from embank import Bank, EncodeReport, ReadingOptions, TextBlock

EXAMPLES = (
    "embank encode bank messages.csv --text message --id id",
    "embank encode bank messages.csv --text message --columns minilm/4/mean@int8",
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which columns are filled."""

    columns: str | None = COLUMNS.option(
        None,
        "Columns to fill, as in minilm/2/mean@int8,minilm/6/mean. [default: the bank's own; for a new bank the "
        "encoder's default columns]",
        metavar="SPEC,...",
        complete=completion.columns,
    )
    codec: str | None = COLUMNS.option(
        None,
        "Precision of columns that name none: float32, float16, int8, int4 or binary. [default: float16]",
        words=CODECS,
    )
    states: str = COLUMNS.option(
        "none",
        "Store states as well, for tails to start from: none, a layer's number, or auto (half of the depth, if "
        "reading them from this disk is faster than recomputing them).",
        words=("none", "auto"),
    )
    states_budget: str | None = COLUMNS.option(
        None,
        "Most space for all states, as in 20GB; beyond it they are computed when needed. [default: no limit]",
        metavar="SIZE",
    )
    keep_text: bool = COLUMNS.option(
        False,
        "Keep the texts themselves, compressed, so that columns can be added without the files; always with --words.",
    )

    @property
    def specs(self) -> tuple[str, ...]:
        """The columns that are named."""
        return listed(self.columns)

    @property
    def budget(self) -> int | None:
        """Bytes that all states may take."""
        return None if self.states_budget is None else console.size_of(self.states_budget)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Which encoder, and how it reads."""

    encoder: str | None = ENCODER.option(
        None,
        "minilm, a folder, or a hub name (org/model@revision); NAME=PLACE names it. [default: the bank's own; for "
        "a new bank minilm]",
    )
    prefixes: str | None = ENCODER.option(
        None,
        "Of an encoder with trained prefixes: apart (columns for each) or together (all in one pass). [default: "
        "as its folder says]",
        words=("apart", "together"),
    )
    long: str | None = ENCODER.option(
        None,
        "Texts longer than the encoder reads: cut, or windows that are averaged. [default: cut]",
        words=("cut", "windows"),
    )
    prompt: str | None = ENCODER.option(None, "Put before every text. [default: as the encoder's folder says]")
    max_tokens: MaxTokens = None
    truncation: str | None = ENCODER.option(
        None,
        "Side on which long texts are cut: right or left. [default: as the encoder's folder says]",
        words=("right", "left"),
    )

    def options(self) -> "ReadingOptions":
        """How the encoder reads."""
        return embank.ReadingOptions(
            prompt=self.prompt, max_tokens=self.max_tokens, truncation=self.truncation, long=self.long
        )

    @property
    def place(self) -> str | None:
        """The encoder, with how its prefixes are read.

        Raises:
            UsageError: an unknown way, or --prefixes without --encoder.
        """
        if self.prefixes is None:
            return self.encoder
        if self.prefixes not in ("together", "apart"):
            raise embank.errors.UsageError(f"found --prefixes {self.prefixes}, expected together or apart")
        if self.encoder is None:
            raise embank.errors.UsageError("--prefixes needs the encoder that has them: give --encoder FOLDER")
        return f"{self.encoder}#{self.prefixes}"


def encode(
    bank: BankPath,
    rows: TextRows,
    wanted: Wanted,
    reading: Reading,
    compute: Compute,
    printed: Printed,
    files: Annotated[
        list[Path] | None,
        argument(
            "INPUT...",
            "CSV, TSV, JSONL, Parquet, one text per line, a folder saved by datasets, or - for standard input. "
            "Without any, the texts that the bank keeps are encoded.",
        ),
    ] = None,
) -> None:
    """Encode texts into a bank.

    What the bank has already is not encoded again; run the same line again to go on after a stop.
    """
    options = compute.options(reading.options(), run=embank.EncodeSettings(states_budget=wanted.budget))
    blocks: "Iterator[TextBlock]" = iter(())
    if files:  # looked at before a bank is made for them
        blocks = _blocks(files, rows)
    else:
        _check_kept(wanted)
    fresh = bool(files) and not bank.exists()
    try:
        with (
            (embank.Bank.open_or_create if files else embank.Bank.open)(bank, options) as opened,
            console.progress(console.rows_in(files or []), quiet=printed.silent) as watch,
            console.interruptible() as stop,
        ):
            if files:
                report = opened.encode(
                    blocks,
                    columns=wanted.specs,
                    encoder=reading.place,
                    codec=wanted.codec,
                    states=_states(wanted),
                    weighed=None if printed.silent else lambda verdict: typer.echo(str(verdict), err=True),
                    # Offsets of words are the text's own: a tagging task finds them in it, without the file.
                    keep_text=wanted.keep_text or rows.words is not None,
                    watch=watch,
                    stop=stop,
                )
            else:
                report = opened.encode_kept(wanted.specs, watch=watch, stop=stop)
            _print(opened, report, printed)
    except embank.errors.EmbankError:
        if fresh:
            _remove_empty(bank)
        raise
    if report.interrupted:
        typer.echo("stopped early: run the same command again to go on", err=True)
        raise typer.Exit(130)


def _blocks(files: list[Path], rows: TextRows) -> "Iterator[TextBlock]":
    source = Source.of(files, rows)
    if rows.pair_apart is None:
        return text_blocks(source)
    return chain.from_iterable(paired_blocks(source, rows.pair_apart))


def _check_kept(wanted: Wanted) -> None:
    """Refuse flags that make no sense where the bank's own texts are encoded."""
    if wanted.states != "none":
        message = "--states needs files; for texts that the bank keeps, name the column: --columns minilm/3/states"
        raise embank.errors.UsageError(message)
    if not wanted.specs:
        raise embank.errors.UsageError("give files to encode, or --columns to fill for the texts that the bank keeps")


def _states(wanted: Wanted) -> int | Literal["auto"] | None:
    """The layer whose states are stored; None for no layer, "auto" where measurement decides."""
    if wanted.states == "none":
        return None
    if wanted.states == "auto":
        return "auto"
    if not wanted.states.isdecimal():
        raise embank.errors.UsageError(f"found --states {wanted.states}, expected none, auto, or a layer's number")
    return int(wanted.states)


def _print(bank: "Bank", report: "EncodeReport", printed: Printed) -> None:
    """Say what a run did, and what the bank holds now."""
    if printed.as_json:
        console.print_faults(report)
        console.print_json({**asdict(report), "bank": str(bank.path), "texts": len(bank)})
        return
    console.print_report(report, quiet=printed.quiet)
    if printed.quiet:
        return
    summary = bank.summary()
    for one in summary.encoders:
        typer.echo(f"encoder {one.name}: {one.compute}")
    weight = size(summary.bytes["total"])
    each = summary.bytes["total"] / max(summary.texts, 1)
    held = f"{counted(summary.texts, 'text')}, {counted(len(summary.columns), 'column')}"
    typer.echo(f"{bank.path}: {held}, {weight} ({each:,.0f} bytes per text)")


def _remove_empty(bank: Path) -> None:
    """Remove a bank that was made for a command which was then refused."""
    with embank.Bank.open(bank) as opened:
        empty = not len(opened) and not opened.summary().columns
    if empty:
        rmtree(bank)
