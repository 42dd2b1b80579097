"""`embank search`: the texts of a bank that are closest to others."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _console as console
from embank.cli._flags import (
    COLUMNS,
    ENCODER,
    OUTPUT,
    ROWS,
    BankPath,
    Format,
    IdColumn,
    KnownEncoder,
    OneColumn,
    PairColumn,
    Printed,
    TextColumn,
    argument,
    one_column,
)
from embank.cli._input import Source, rows_of
from embank.reports.wording import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from embank import SearchSettings

EXAMPLES = (
    'embank search bank "no heating since Friday" -k 5',
    "embank search bank --file queries.csv --text question --where topic=billing -o found.csv",
)

_SHOWN = 100
"""Characters of a text that are shown on a terminal; --json and -o have all of it."""


@dataclass(frozen=True, kw_only=True)
class QueryRows:
    """Queries that stand in a file."""

    file: Path | None = ROWS.option(None, "File of queries (instead of QUERY), or -.", metavar="FILE")
    text: TextColumn = "text"
    pair: PairColumn = None
    id: IdColumn = None
    format: Format = None
    where: list[str] | None = ROWS.option(
        None, "Search only texts that a task labels so; repeatable.", metavar="TASK=LABEL"
    )


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What is searched, and how."""

    columns: OneColumn = None
    approximate: bool = COLUMNS.option(
        False, "Search a graph of neighbours, which the bank keeps and extends, not every vector."
    )
    query_encoder: str | None = ENCODER.option(
        None,
        "Encode queries with this encoder's own pooling: a student, for a column of its teacher. [default: the "
        "column's encoder]",
        metavar="PLACE",
    )
    top: int = OUTPUT.option(10, "Texts per query.", "--top", "-k")

    def settings(self, where: list[str] | None) -> "SearchSettings":
        """Settings of a search."""
        return embank.SearchSettings(
            self.top,
            one_column(self.columns, "search"),
            tuple(map(_condition, where or ())),
            "approximate" if self.approximate else "exact",
        )


def search(
    bank: BankPath,
    rows: QueryRows,
    searched: Searched,
    encoder: KnownEncoder,
    printed: Printed,
    query: Annotated[
        list[str] | None, argument("QUERY...", "What to look for, in words; several are searched each.")
    ] = None,
    output: Path | None = OUTPUT.option(
        None,
        "File to write: .parquet, .csv, .tsv or .jsonl, or - for JSON lines. [default: a table on the terminal]",
        "--output",
        "-o",
        metavar="OUT",
    ),
) -> None:
    """Find the texts that are closest to queries.

    Scores are cosines: higher is closer. Queries are not stored.
    """
    printed.check(output)
    queries, ids = _queries(query or [], rows)
    settings, options = searched.settings(rows.where), encoder.opened()
    place = searched.query_encoder
    vectors = queries if place is None else embank.encoder_vectors(place, queries, options)
    if output is None:
        with embank.Bank.open(bank, options) as opened:
            found = opened.search(vectors, settings, ids=ids)
        printed.show({"found": found.to_pylist()}, lambda: show(found, queries, ids))
        return
    with embank.Bank.open(bank, options) as opened, embank.tables.open_writer(output) as writer:
        found = opened.search(vectors, settings, ids=ids)
        writer.write({name: found.column(name) for name in found.column_names})
    if str(output) != "-":
        printed.show({"rows": found.num_rows, "output": str(output)}, f"{counted(found.num_rows, 'row')}: {output}")


def show(found: "pa.Table", queries: list[Any], ids: list[Any]) -> None:
    """Print a table for people, one per query where there are several."""
    rows = found.to_pylist()
    if not rows:
        typer.echo("no text fits")
    called = {str(name): text for name, text in zip(ids or range(len(queries)), queries, strict=True)}
    several = len(queries) > 1
    headers = ["rank", "score", "id", *(["text"] if "text" in found.column_names else [])]
    for name in dict.fromkeys(str(row["query"]) for row in rows):
        if several:
            typer.echo(f"{name}: {_line(called[name])}")
        mine = [row for row in rows if str(row["query"]) == name]
        cells = [[str(row["rank"]), f"{row['score']:.4f}", str(row["id"]), _line(row.get("text"))] for row in mine]
        console.print_table(headers, [row[: len(headers)] for row in cells], (0, 1))
    if rows and "text" not in headers:
        typer.echo("this bank keeps no texts, so only ids are shown; encode with --keep-text to see them", err=True)


def _queries(words: list[str], rows: QueryRows) -> tuple[list[Any], list[Any]]:
    """The queries and, from a file with --id, what they are called."""
    if bool(words) == (rows.file is not None):
        raise embank.errors.UsageError("give what to look for: one of QUERY in words and --file FILE")
    if rows.file is None:
        return words, []
    source = Source(files=[rows.file], text=rows.text, pair=rows.pair, id=rows.id, as_format=rows.format)
    found = rows_of(source)
    texts: list[Any] = found[source.text]
    if source.pair is not None:
        texts = list(zip(texts, found[source.pair], strict=True))
    if not texts:
        raise embank.errors.InputError(f"{rows.file} has no rows, so there is nothing to look for")
    ids = [] if source.id is None else found[source.id]
    if len(set(map(str, ids))) < len(ids):
        message = f"{rows.file} gives several queries the same id in {source.id!r}: each needs its own"
        raise embank.errors.InputError(message)
    return texts, ids


def _condition(written: str) -> tuple[str, str]:
    task, sign, label = written.partition("=")
    if not sign or not task or not label:
        raise embank.errors.UsageError(
            f"malformed --where {written!r}: write it as TASK=LABEL, for example topic=billing"
        )
    return task, label


def _line(text: Any) -> str:
    """A text on one line, cut for a terminal."""
    whole = " | ".join(text) if isinstance(text, (list, tuple)) else str(text or "")
    plain = " ".join(whole.split())
    return plain if len(plain) <= _SHOWN else f"{plain[: _SHOWN - 3]}..."
