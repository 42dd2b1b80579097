"""Flags that several commands share; five of them, true for a whole session, may stand in the environment."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

_VARIABLES: Final = {
    name: f"EMBANK_{name.removeprefix('--').replace('-', '_').upper()}"
    for name in ("--backend", "--cache", "--dtype", "--local-files-only", "--quiet")
}
"""Flags that say the same in every command that has them, and drop nothing: one variable each."""


def flag(*names: str, help: str, **settings: Any) -> Any:  # noqa: A002 - typer's word
    """An option; its environment variable goes by its long name, where it has one."""
    long = next(name for name in names if name.startswith("--")).partition("/")[0]
    return typer.Option(*names, help=help, envvar=_VARIABLES.get(long), **settings)


BankPath = Annotated[Path, typer.Argument(metavar="BANK", help="The bank's folder.", show_default=False)]
Format = Annotated[
    str | None,
    flag(
        "--format",
        help="How to read files whose extension does not tell, and standard input: csv, tsv, "
        "tsv-unquoted (quotes are part of the text), jsonl, parquet, arrow or text.",
    ),
]
TextColumn = Annotated[str, flag("--text", metavar="COL", help="The column of texts.")]
WordsColumn = Annotated[
    str | None,
    flag("--words", metavar="COL", help="In the place of --text: a column of lists of words, as taggers have them."),
]
PairColumn = Annotated[
    str | None, flag("--pair", metavar="COL", help="A second column, read together with --text as one pair.")
]
ApartColumn = Annotated[
    str | None,
    flag("--pair-apart", metavar="COL", help="A second column, encoded apart from --text, as a text of its own."),
]
IdColumn = Annotated[str | None, flag("--id", metavar="COL", help="The column that names the texts.")]
Backend = Annotated[str | None, flag("--backend", help="torch or openvino; left out, the faster one on this machine.")]
Dtype = Annotated[
    str | None,
    flag("--dtype", help="float32, bfloat16 or float16; left out, the fastest within cosine 0.999 of float32."),
]
Cache = Annotated[
    Path | None, flag("--cache", help="Folder for converted graphs and measurements.  [default: ~/.cache/embank]")
]
Offline = Annotated[
    bool, flag("--local-files-only", help="Ask no network for encoders, use what was downloaded before.")
]
MovedEncoder = Annotated[
    str | None,
    flag("--encoder", metavar="NAME=PLACE", help="Where an encoder is that the bank knows by this name; it has moved."),
]
AsJson = Annotated[bool, flag("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, flag("--quiet", "-q", help="Print nothing but errors.")]
