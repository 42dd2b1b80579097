"""`embank search`: the texts of a bank that are closest to others."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _console as console
from embank.cli import _flags as flags
from embank.cli._input import Source, rows_of
from embank.cli._options import bank_options
from embank.reports.wording import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from embank.search import Way

_SHOWN = 100
"""Characters of a text that are shown on a terminal; --json and -o have all of it."""


def search(
    bank: flags.BankPath,
    query: Annotated[
        list[str] | None, typer.Argument(metavar="QUERY...", help="What to look for, in words; again for more.")
    ] = None,
    file: Annotated[
        Path | None, flags.flag("--file", metavar="F", help="In the place of QUERY: a file of queries, or -.")
    ] = None,
    k: Annotated[int, flags.flag("--top", "-k", help="How many texts a query gets.")] = 10,
    column: Annotated[
        str | None,
        flags.flag(
            "--column",
            metavar="SPEC",
            help="The column to search; left out, the highest layer of those with the most texts, at its finest.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        flags.flag("--where", metavar="TASK=LABEL", help="Only texts that a task labels so; again for more."),
    ] = None,
    approximate: Annotated[
        bool,
        flags.flag(
            "--approximate", help="Ask a graph of neighbours, which the bank keeps and extends, not every vector."
        ),
    ] = False,
    query_encoder: Annotated[
        str | None,
        flags.flag(
            "--query-encoder",
            metavar="PLACE",
            help="Encode queries with this encoder's own pooling: a student, for a column of its teacher.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        flags.flag(
            "--output", "-o", metavar="OUT", help="Write a .parquet, .csv, .tsv or .jsonl file, or - for JSONL."
        ),
    ] = None,
    text: flags.TextColumn = "text",
    pair: flags.PairColumn = None,
    id_column: flags.IdColumn = None,
    as_format: flags.Format = None,
    as_json: flags.AsJson = False,
    encoder: flags.MovedEncoder = None,
    backend: flags.Backend = None,
    dtype: flags.Dtype = None,
    cache: flags.Cache = None,
    local_files_only: flags.Offline = False,
) -> None:
    """Find the texts that are closest to queries, by cosine: higher is closer. Queries are not banked."""
    queries, ids = _queries(query or [], file, Source([file] if file else [], text, pair, id_column, as_format))
    settings = embank.SearchSettings(k, column, tuple(map(_condition, where or ())), _way(approximate))
    options = bank_options(backend, dtype, cache, local_files_only=local_files_only, moved=encoder)
    asked: Any = queries
    if query_encoder is not None:
        asked = embank.encoder_vectors(query_encoder, queries, options)
    if output is not None:
        with embank.Bank.open(bank, options) as opened, embank.tables.open_writer(output) as writer:
            found = opened.search(asked, settings, ids=ids)
            writer.write({name: found.column(name) for name in found.column_names})
        if str(output) != "-":
            typer.echo(f"{counted(found.num_rows, 'row')}: {output}")
        return
    with embank.Bank.open(bank, options) as opened:
        found = opened.search(asked, settings, ids=ids)
    if as_json:
        typer.echo(json.dumps({"found": found.to_pylist()}, ensure_ascii=False))
        return
    show(found, queries, ids)


def show(found: "pa.Table", queries: list[Any], ids: list[Any]) -> None:
    """Print a table for people, one stretch a query where there are several."""
    rows = found.to_pylist()
    if not rows:
        typer.echo("no text fits")
    called = {str(name): said for name, said in zip(ids or range(len(queries)), queries, strict=True)}
    several = len(queries) > 1
    headers = ["rank", "score", "id", *(["text"] if "text" in found.column_names else [])]
    for name in dict.fromkeys(str(row["query"]) for row in rows):
        if several:
            typer.echo(f"{name}: {_line(called[name])}")
        mine = [row for row in rows if str(row["query"]) == name]
        cells = [[str(row["rank"]), f"{row['score']:.4f}", str(row["id"]), _line(row.get("text"))] for row in mine]
        console.print_table(headers, [row[: len(headers)] for row in cells], (0, 1))


def _queries(words: list[str], file: Path | None, source: Source) -> tuple[list[Any], list[Any]]:
    """The queries and, from a file with --id, what they are called."""
    if bool(words) == (file is not None):
        raise embank.errors.UsageError("give what to look for: one of QUERY in words and --file F")
    if file is None:
        return words, []
    found = rows_of(source)
    texts: list[Any] = found[source.text]
    if source.pair is not None:
        texts = list(zip(texts, found[source.pair], strict=True))
    if not texts:
        raise embank.errors.InputError(f"{file} has no rows, so there is nothing to look for")
    ids = [] if source.id is None else found[source.id]
    if len(set(map(str, ids))) < len(ids):
        raise embank.errors.InputError(f"{file} gives several queries the same id in {source.id!r}: each needs its own")
    return texts, ids


def _way(approximate: bool) -> "Way":  # noqa: FBT001 - a flag
    return "approximate" if approximate else "exact"


def _condition(written: str) -> tuple[str, str]:
    task, sign, label = written.partition("=")
    if not sign or not task or not label:
        raise embank.errors.UsageError(
            f"{written!r} is no condition; write it as TASK=LABEL, for example topic=billing"
        )
    return task, label


def _line(text: Any) -> str:
    """A text on one line, cut for a terminal."""
    whole = " | ".join(text) if isinstance(text, (list, tuple)) else str(text or "")
    plain = " ".join(whole.split())
    return plain if len(plain) <= _SHOWN else f"{plain[: _SHOWN - 3]}..."
