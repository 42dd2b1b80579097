"""Flags that several commands share, in bundles: a command that takes `Compute` has each of its flags.

A help page shows flags in panels. Five flags, true for a whole session, may stand in the environment.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar, cast

import typer

import embank
from embank.cli import _completion as completion
from embank.cli import _console as console

if TYPE_CHECKING:
    from embank import BankOptions, EncodeSettings, ReadingOptions

DEFAULT: Final = "[default: "
"""Begins a default in words, at the end of a help text."""

T = TypeVar("T")


class Panel(str):
    """The title of a panel on a help page."""

    __slots__ = ()

    def option(self, default: T, help: str, *names: str, **more: Any) -> T:  # noqa: A002 - typer's word
        """An option of one command.

        It stands where the default does: `width: int = COLUMNS.option(48, "Dimensions.")` is --width.

        Args:
            default: its value if it is not given.
            help: as in `flag`.
            names: `--long` and `-s`, where they are not the name of the field or parameter.
            more: complete, words, metavar, least of `flag`.
        """
        made: Any = field(default=default, metadata={"names": names, "flag": partial(flag, self, help=help, **more)})
        return cast("T", made)


ROWS: Final = Panel("Which rows")
COLUMNS: Final = Panel("Which columns")
TASK: Final = Panel("Task")
TRAINING: Final = Panel("Training")
ENCODER: Final = Panel("Encoder")
COMPUTE: Final = Panel("Compute")
OUTPUT: Final = Panel("Output")

PANELS: Final = (ROWS, TASK, COLUMNS, ENCODER, TRAINING, COMPUTE, OUTPUT)
"""The panels of a help page."""

_VARIABLES: Final = {
    name: f"EMBANK_{name.removeprefix('--').replace('-', '_').upper()}"
    for name in ("--backend", "--cache", "--dtype", "--local-files-only", "--quiet")
}
"""Flags that say the same in every command that has them, and drop nothing: one variable each."""

DEFAULT_TEXT: Final = "text"
"""The column of texts if none is given."""

CODECS: Final = ("float32", "float16", "int8", "int4", "binary")
"""Words that are offered for --codec."""


def flag(
    panel: str,
    *names: str,
    help: str,  # noqa: A002 - typer's word
    complete: Callable[..., Sequence[str]] | None = None,
    words: Sequence[str] = (),
    metavar: str | None = None,
    least: int | None = None,
) -> Any:
    """An option that several bundles have, or that must be given.

    It stands in an annotation: `Text = Annotated[str, flag(ROWS, "--text", help="Column of texts.")]`.

    Args:
        panel: of the help page.
        names: `--long` and `-s`.
        help: one or two sentences; a default that stands nowhere as a value follows in words, as in "[default: all]".
        complete: what a shell offers for the value.
        words: that it offers, if they are always the same.
        metavar: what stands for the value.
        least: the smallest number that is taken.
    """
    long = next(name for name in names if name.startswith("--")).partition("/")[0]
    complete = completion.words(*words) if words else complete
    return typer.Option(
        *names,
        help=_plain(help),
        metavar="WORD" if complete and metavar is None else metavar,
        envvar=_VARIABLES.get(long),
        rich_help_panel=panel,
        autocompletion=complete,
        show_default=DEFAULT not in help,
        min=least,
    )


def argument(metavar: str, help: str, complete: Callable[..., Sequence[str]] | None = None) -> Any:  # noqa: A002 - typer's word
    """A word of the line that no flag precedes."""
    return typer.Argument(metavar=metavar, help=_plain(help), show_default=False, autocompletion=complete)


def _plain(text: str) -> str:
    """A text of help in which brackets are brackets, and no markup; a default in words is dim, as typer's own are."""
    text, default, rest = text.replace("[", r"\[").partition(rf" \{DEFAULT}")
    return f"{text} [dim]{default.lstrip()}{rest}[/dim]" if default else text


def listed(written: str | None) -> tuple[str, ...]:
    """The parts of a value that is a list with commas.

    >>> listed("minilm/2/mean, minilm/6/mean"), listed(None)
    (('minilm/2/mean', 'minilm/6/mean'), ())
    """
    return tuple(part.strip() for part in (written or "").split(",") if part.strip())


def one_column(written: str | None, verb: str) -> str | None:
    """The column of a command that takes one.

    Raises:
        UsageError: there are several.
    """
    names = listed(written)
    if len(names) > 1:
        raise embank.errors.UsageError(f"found {len(names)} columns in --columns, {verb} takes one")
    return names[0] if names else None


BankPath = Annotated[Path, argument("BANK", "The bank's folder.")]
TextColumn = Annotated[str, flag(ROWS, "--text", metavar="COL", help="Column of texts.")]
PairColumn = Annotated[
    str | None, flag(ROWS, "--pair", metavar="COL", help="Second column, read together with --text as one pair.")
]
IdColumn = Annotated[str | None, flag(ROWS, "--id", metavar="COL", help="Column of ids.")]
WordsColumn = Annotated[
    str | None,
    flag(ROWS, "--words", metavar="COL", help="Column with lists of words (instead of --text), for tagging."),
]
ApartColumn = Annotated[
    str | None,
    flag(ROWS, "--pair-apart", metavar="COL", help="Second column, encoded apart from --text, as a text of its own."),
]
Format = Annotated[
    str | None,
    flag(
        ROWS,
        "--format",
        help=(
            "Format of standard input, and of files whose extension does not tell: csv, tsv, tsv-unquoted (quotes are "
            "part of the text), jsonl, parquet, arrow or text."
        ),
        words=("csv", "tsv", "tsv-unquoted", "jsonl", "parquet", "arrow", "text"),
    ),
]
Output = Annotated[
    Path,
    flag(
        OUTPUT,
        "--output",
        "-o",
        metavar="OUT",
        help="File to write: .parquet, .csv, .tsv or .jsonl, or - for JSON lines on standard output.",
    ),
]
OneColumn = Annotated[
    str | None,
    flag(
        COLUMNS,
        "--columns",
        help="Column whose vectors are read. [default: the highest layer of those with the most texts, at its finest "
        "precision]",
        metavar="SPEC",
        complete=completion.columns,
    ),
]
TextOrNone = Annotated[
    str | None, flag(ROWS, "--text", metavar="COL", help=f"Column of texts. [default: {DEFAULT_TEXT}]")
]
Seed = Annotated[int, flag(TRAINING, "--seed", help="Seed of the split and of everything random.", least=0)]
EncoderPlace = Annotated[
    str, flag(ENCODER, "--encoder", help="minilm, a folder, or a hub name (org/model@revision); NAME=PLACE names it.")
]
MaxTokens = Annotated[
    int | None,
    flag(ENCODER, "--max-tokens", help="Longest input, in tokens. [default: as the encoder's folder says]", least=1),
]
Label = Annotated[str | None, flag(TASK, "--label", metavar="COL", help="Column of labels.")]
Kind = Annotated[
    str,
    flag(
        TASK,
        "--kind",
        help=(
            "auto, single (one class), multi (several labels), regression (a number), tagging (a tag per word) or "
            "span (an answer in a context)."
        ),
        words=("auto", "single", "multi", "regression", "tagging", "span"),
    ),
]


@dataclass(frozen=True, kw_only=True)
class TextRows:
    """Which columns of files are texts and ids."""

    text: TextColumn = "text"
    words: WordsColumn = None
    pair: PairColumn = None
    pair_apart: ApartColumn = None
    id: IdColumn = None
    format: Format = None


@dataclass(frozen=True, kw_only=True)
class TaskRows:
    """Which columns of files are texts and labels of a task."""

    label: Label = None
    text: TextColumn = "text"
    words: WordsColumn = None
    pair: PairColumn = None
    kind: Kind = "auto"
    format: Format = None


@dataclass(frozen=True, kw_only=True)
class Compute:
    """How encoders compute."""

    backend: str | None = COMPUTE.option(
        None, "torch or openvino. [default: the faster one on this machine]", words=("torch", "openvino")
    )
    dtype: str | None = COMPUTE.option(
        None,
        "Precision of computing: float32, bfloat16 or float16. [default: the fastest within cosine 0.999 of float32]",
        words=("float32", "bfloat16", "float16"),
    )
    cache: Path | None = COMPUTE.option(
        None, "Folder for converted graphs and measurements. [default: ~/.cache/embank]"
    )
    local_files_only: bool = COMPUTE.option(False, "Download nothing: use encoders that are here already.")

    def options(
        self, reading: "ReadingOptions | None" = None, *, moved: str | None = None, run: "EncodeSettings | None" = None
    ) -> "BankOptions":
        """Options of a bank."""
        return embank.BankOptions(
            reading=reading or embank.ReadingOptions(),
            compute=embank.ComputeOptions(self.backend, self.dtype, self.cache),
            local_files_only=self.local_files_only,
            places=(moved,) if moved else (),
            run=run or embank.EncodeSettings(),
        )


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How the encoder that is trained reads texts."""

    max_tokens: MaxTokens = None
    local_files_only: bool = COMPUTE.option(False, "Download nothing: use encoders that are here already.")

    def options(self) -> "BankOptions":
        """How encoders read texts."""
        reading = embank.ReadingOptions(max_tokens=self.max_tokens)
        return embank.BankOptions(reading=reading, local_files_only=self.local_files_only)


@dataclass(frozen=True, kw_only=True)
class KnownEncoder(Compute):
    """How the encoders that a bank knows compute, and where one lies that has moved."""

    encoder_path: str | None = ENCODER.option(
        None,
        "Where an encoder lies now that the bank knows by this name. [default: where it was]",
        metavar="NAME=FOLDER",
        complete=completion.encoders,
    )

    def opened(self) -> "BankOptions":
        """Options of a bank."""
        return self.options(moved=self.encoder_path)


@dataclass(frozen=True, kw_only=True)
class Printed:
    """What is printed."""

    as_json: bool = OUTPUT.option(False, "Print one JSON object.", "--json")
    quiet: bool = OUTPUT.option(False, "Print nothing but errors.", "--quiet", "-q")

    @property
    def silent(self) -> bool:
        """Whether progress stays hidden."""
        return self.quiet or self.as_json

    def show(self, record: Mapping[str, Any], words: str | Callable[[], None]) -> None:
        """Print a result: one JSON object, or words for people, or nothing.

        Args:
            record: the JSON object.
            words: a text, or what prints one.
        """
        if self.as_json:
            console.print_json(record)
        elif not self.quiet:
            typer.echo(words) if isinstance(words, str) else words()

    def check(self, output: Path | None) -> None:
        """Refuse two things on standard output.

        Raises:
            UsageError: JSON, and rows as well.
        """
        if self.as_json and str(output) == "-":
            raise embank.errors.UsageError("--json and -o - would both write on standard output: name a file")
