"""`embank evaluate`: how well vectors say what is alike, on files of graded pairs or of queries with known answers."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _flags as flags
from embank.cli._input import Source, rows_of
from embank.cli._options import bank_options

if TYPE_CHECKING:
    from embank import Bank, RetrievalReport

app = typer.Typer(help="How well vectors say what is alike.", no_args_is_help=True)

BankFolder = Annotated[
    Path | None,
    flags.flag("--bank", metavar="BANK", help="Keep what is encoded in this bank.  [default: one that is dropped]"),
]
ColumnSpec = Annotated[
    str | None,
    flags.flag("--column", metavar="SPEC", help="Whose vectors.  [default: the encoder's own, last layer, at float32]"),
]
EncoderPlace = Annotated[str, flags.flag("--encoder", help="minilm, a folder, or a hub name; NAME=PLACE names it.")]


@app.command()
def sts(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Pairs with a grade each.")],
    score: Annotated[str, flags.flag("--score", metavar="COL", help="The column of grades, higher for more alike.")],
    text: flags.TextColumn = "text",
    pair: Annotated[str, flags.flag("--pair", metavar="COL", help="The column of second texts.")] = "pair",
    bank: BankFolder = None,
    column: ColumnSpec = None,
    encoder: EncoderPlace = "minilm",
    as_format: flags.Format = None,
    as_json: flags.AsJson = False,
    backend: flags.Backend = None,
    dtype: flags.Dtype = None,
    cache: flags.Cache = None,
    local_files_only: flags.Offline = False,
) -> None:
    """Correlate the cosines of pairs with the grades that people gave: Spearman's."""
    rows = rows_of(Source(files, text, None, None, as_format), [pair, score])
    texts = [*rows[text], *rows[pair]]
    options = bank_options(backend, dtype, cache, local_files_only=local_files_only)
    name = column or _own(encoder, options)
    with _encoded(bank, [name], encoder, texts, options) as opened:
        report = opened.evaluate_sts(name, list(zip(rows[text], rows[pair], strict=True)), rows[score])
    if as_json:
        typer.echo(json.dumps(asdict(report)))
        return
    left_out = f" ({report.left_out:,} left out: no grade, or no text)" if report.left_out else ""
    typer.echo(f"{report.column}: Spearman {100 * report.spearman:.2f} on {report.pairs:,} pairs{left_out}")


@app.command()
def retrieval(
    corpus: Annotated[Path, flags.flag("--corpus", metavar="F", help="Texts to search: --id and --text.")],
    queries: Annotated[Path, flags.flag("--queries", metavar="F", help="Queries: --id and --text.")],
    qrels: Annotated[
        Path, flags.flag("--qrels", metavar="F", help="What is relevant: a query, a text and a grade a row.")
    ],
    exclude: Annotated[
        Path | None,
        flags.flag("--exclude", metavar="F", help="What is taken out of results: a query and a text a row."),
    ] = None,
    text: flags.TextColumn = "text",
    query_id: Annotated[str, flags.flag("--query-id", metavar="COL", help="The column of queries' ids.")] = "query-id",
    corpus_id: Annotated[str, flags.flag("--corpus-id", metavar="COL", help="The column of texts' ids.")] = "corpus-id",
    score: Annotated[
        str, flags.flag("--score", metavar="COL", help="The column of grades; 0: not relevant.")
    ] = "score",
    id_column: Annotated[
        str, flags.flag("--id", metavar="COL", help="The column that names texts and queries.")
    ] = "id",
    bank: BankFolder = None,
    column: ColumnSpec = None,
    codec: Annotated[
        list[str] | None,
        flags.flag(
            "--codec",
            help="Measure the column at this precision, again for more; binary+int8: a binary first pass, then int8.",
        ),
    ] = None,
    encoder: EncoderPlace = "minilm",
    as_format: flags.Format = None,
    as_json: flags.AsJson = False,
    backend: flags.Backend = None,
    dtype: flags.Dtype = None,
    cache: flags.Cache = None,
    local_files_only: flags.Offline = False,
) -> None:
    """Search a corpus for queries whose answers are known: nDCG@10 and recall@100, one line a precision."""
    there = _named(corpus, Source([corpus], text, None, id_column, as_format))
    asked = _named(queries, Source([queries], text, None, id_column, as_format))
    relevant = _grades(qrels, (query_id, corpus_id, score), as_format)
    excluded = {} if exclude is None else _pairs(exclude, (query_id, corpus_id), as_format)
    options = bank_options(backend, dtype, cache, local_files_only=local_files_only)
    passes = _passes(column or _own(encoder, options), codec or [])
    judged = embank.JudgedQueries(corpus=there, queries=asked, relevant=relevant, excluded=excluded)
    wanted = list(dict.fromkeys(name for both in passes for name in both if name))
    with _encoded(bank, wanted, encoder, list(there.values()), options) as opened:
        for name, rescored in passes:
            report = opened.evaluate_retrieval(name, judged, rescored)
            typer.echo(json.dumps(asdict(report)) if as_json else _line(report))


def _line(report: "RetrievalReport") -> str:
    """A report for people."""
    left_out = f" ({report.left_out:,} that cannot be encoded left out)" if report.left_out else ""
    ordered = f" ordered by {report.rescored}" if report.rescored else ""
    return (
        f"{report.column}{ordered}: nDCG@10 {100 * report.ndcg_at_10:.2f}, "
        f"recall@100 {100 * report.recall_at_100:.2f}, {report.queries:,} queries over {report.texts:,} texts{left_out}"
    )


def _passes(column: str, codecs: list[str]) -> list[tuple[str, str]]:
    """The columns of each search: of its only or first pass, and of the second one, or ""."""
    from embank.codecs import codec_names
    from embank.recipe import ColumnName

    codecs_known = codec_names()
    parsed = ColumnName.parse(column)
    found = []
    for written in codecs or [parsed.codec]:
        first, _, second = written.partition("+")
        if first not in codecs_known or (second and second not in codecs_known) or written.endswith("+"):
            raise embank.errors.UsageError(
                f"found --codec {written!r}; known are {', '.join(codecs_known)}, and two of them as FIRST+SECOND"
            )
        found.append((str(replace(parsed, codec=first)), str(replace(parsed, codec=second)) if second else ""))
    return found


def _own(encoder: str, options: Any) -> str:
    """The column of an encoder's own vectors, of its last layer, at float32."""
    from embank.encoders.load import locate

    located = locate(encoder, options.reading, local_files_only=options.local_files_only)
    return f"{located.name}/{located.layers}/own@float32"


@contextmanager
def _encoded(
    folder: Path | None, columns: list[str], encoder: str, texts: Sequence[Any], options: Any
) -> "Iterator[Bank]":
    """A bank, kept or to be dropped, that has these texts in columns of one encoder."""
    with (
        tempfile.TemporaryDirectory(prefix="embank-") as dropped,
        embank.Bank.open_or_create(folder or Path(dropped) / "bank", options) as bank,
    ):
        known = {one.name for one in bank.summary().encoders}
        bank.encode(texts, columns=columns, encoder=None if columns[0].partition("/")[0] in known else encoder)
        yield bank


def _named(path: Path, source: Source) -> dict[str, Any]:
    """Texts by id."""
    rows = rows_of(source)
    ids = list(map(str, rows[source.id or "id"]))
    if len(set(ids)) < len(ids):
        raise embank.errors.InputError(f"{path} gives several rows the same id in {source.id!r}: each needs its own")
    return dict(zip(ids, rows[source.text], strict=True))


def _pairs(path: Path, columns: tuple[str, str], as_format: str | None) -> dict[str, set[str]]:
    """Ids of texts by query."""
    rows = rows_of(Source([path], columns[0], None, None, as_format), [columns[1]])
    found: dict[str, set[str]] = {}
    for query, name in zip(rows[columns[0]], rows[columns[1]], strict=True):
        found.setdefault(str(query), set()).add(str(name))
    return found


def _grades(path: Path, columns: tuple[str, str, str], as_format: str | None) -> dict[str, dict[str, float]]:
    """Grades of texts by query."""
    rows = rows_of(Source([path], columns[0], None, None, as_format), list(columns[1:]))
    found: dict[str, dict[str, float]] = {}
    for at, (query, name, grade) in enumerate(zip(*(rows[column] for column in columns), strict=True)):
        try:
            found.setdefault(str(query), {})[str(name)] = float(grade)
        except (TypeError, ValueError) as fault:
            raise embank.errors.InputError(f"{path}, row {at}: the grade is {grade!r}, which is no number") from fault
    return found
