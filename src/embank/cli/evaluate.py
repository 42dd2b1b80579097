"""`embank evaluate`: how well vectors reflect similarity, on graded pairs or on queries with known answers."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import embank
from embank.cli import _completion as completion
from embank.cli import _console as console
from embank.cli._bundles import command
from embank.cli._flags import (
    CODECS,
    COLUMNS,
    OUTPUT,
    ROWS,
    Compute,
    EncoderPlace,
    Format,
    Printed,
    TextColumn,
    argument,
    flag,
    one_column,
)
from embank.cli._input import Source, rows_of

if TYPE_CHECKING:
    from embank import Bank, BankOptions, ColumnName, JudgedQueries, RetrievalReport

app = typer.Typer(help="Measure how well vectors say what is alike.", no_args_is_help=True)

STS_EXAMPLES = (
    "embank evaluate sts pairs.csv --text first --pair second --score grade",
    "embank evaluate sts pairs.csv --score grade --columns minilm/4/mean@int8",
)
RETRIEVAL_EXAMPLES = (
    "embank evaluate retrieval --corpus c.jsonl --queries q.jsonl --qrels r.tsv",
    "embank evaluate retrieval --corpus c.jsonl --queries q.jsonl --qrels r.tsv --codec binary+int8",
)


@dataclass(frozen=True, kw_only=True)
class Measured(Compute):
    """Which vectors are measured, and where they are kept."""

    columns: str | None = COLUMNS.option(
        None,
        "Column to measure. [default: the encoder's own pooling of its last layer, at float32]",
        metavar="SPEC",
        complete=completion.columns,
    )
    encoder: EncoderPlace = "minilm"
    bank: Path | None = OUTPUT.option(
        None, "Store what is encoded in this bank. [default: one that is deleted]", metavar="BANK"
    )

    def column(self) -> "ColumnName":
        """The name of the column."""
        written = one_column(self.columns, "evaluate")
        return embank.ColumnName.parse(written) if written else _own(self.encoder, self.options())


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Files of texts, of queries, and of what answers them."""

    corpus: Annotated[Path, flag(ROWS, "--corpus", metavar="FILE", help="Texts to search, with --id and --text.")]
    queries: Annotated[Path, flag(ROWS, "--queries", metavar="FILE", help="Queries, with --id and --text.")]
    qrels: Annotated[
        Path, flag(ROWS, "--qrels", metavar="FILE", help="What is relevant: per row a query, a text and a grade.")
    ]
    exclude: Path | None = ROWS.option(
        None, "What is taken out of results: per row a query and a text.", metavar="FILE"
    )
    text: TextColumn = "text"
    id: str = ROWS.option("id", "Column of ids of texts and queries.", metavar="COL")
    query_id: str = ROWS.option("query-id", "Column of queries' ids.", metavar="COL")
    corpus_id: str = ROWS.option("corpus-id", "Column of texts' ids.", metavar="COL")
    score: str = ROWS.option("score", "Column of grades; 0: not relevant.", metavar="COL")
    format: Format = None

    def read(self) -> "JudgedQueries":
        """Texts, queries, and what answers them.

        Raises:
            InputError: a file that cannot be read, an id that stands there twice, or a grade that is not a number.
        """
        return embank.JudgedQueries(
            corpus=self._texts(self.corpus),
            queries=self._texts(self.queries),
            relevant=self._grades(),
            excluded=self._excluded(),
        )

    def _texts(self, path: Path) -> dict[str, Any]:
        """Texts of a file by id.

        Raises:
            InputError: an id stands there twice.
        """
        rows = rows_of(Source(files=[path], text=self.text, id=self.id, as_format=self.format))
        ids = list(map(str, rows[self.id]))
        if len(set(ids)) < len(ids):
            raise embank.errors.InputError(f"{path} gives several rows the same id in {self.id!r}: each needs its own")
        return dict(zip(ids, rows[self.text], strict=True))

    def _excluded(self) -> dict[str, set[str]]:
        """Ids of texts that are taken out, by query."""
        found: dict[str, set[str]] = {}
        if self.exclude is not None:
            rows = rows_of(Source(files=[self.exclude], text=self.query_id, as_format=self.format), [self.corpus_id])
            for query, name in zip(rows[self.query_id], rows[self.corpus_id], strict=True):
                found.setdefault(str(query), set()).add(str(name))
        return found

    def _grades(self) -> dict[str, dict[str, float]]:
        """Grades of texts by query.

        Raises:
            InputError: a grade is not a number.
        """
        columns = [self.query_id, self.corpus_id, self.score]
        rows = rows_of(Source(files=[self.qrels], text=self.query_id, as_format=self.format), columns[1:])
        found: dict[str, dict[str, float]] = {}
        for at, (query, name, grade) in enumerate(zip(*(rows[column] for column in columns), strict=True)):
            try:
                found.setdefault(str(query), {})[str(name)] = float(grade)
            except (TypeError, ValueError) as fault:
                message = f"{self.qrels}, row {at}: the grade is {grade!r}, which is no number"
                raise embank.errors.InputError(message) from fault
        return found


@command(app, STS_EXAMPLES)
def sts(
    files: Annotated[list[Path], argument("FILE...", "Pairs with a grade each.")],
    score: Annotated[str, flag(ROWS, "--score", metavar="COL", help="Column of grades, higher for more alike.")],
    measured: Measured,
    printed: Printed,
    text: TextColumn = "text",
    pair: str = ROWS.option("pair", "Column of second texts.", metavar="COL"),
    as_format: Format = None,
) -> None:
    """Correlate cosines of pairs with the grades that people gave."""
    rows = rows_of(Source(files=files, text=text, as_format=as_format), [pair, score])
    column = measured.column()
    with _encoded(measured, [column], [*rows[text], *rows[pair]]) as opened:
        report = opened.evaluate_sts(str(column), list(zip(rows[text], rows[pair], strict=True)), rows[score])
    left_out = f" ({report.left_out:,} left out: no grade, or no text)" if report.left_out else ""
    words = f"{report.column}: Spearman {100 * report.spearman:.2f} on {report.pairs:,} pairs{left_out}"
    printed.show(asdict(report), words)


@command(app, RETRIEVAL_EXAMPLES)
def retrieval(
    judged: Judged,
    measured: Measured,
    printed: Printed,
    codec: list[str] | None = COLUMNS.option(
        None,
        "Measure the column at this precision, repeatable; binary+int8: a binary first pass, then int8. [default: "
        "the column's]",
        words=CODECS,
    ),
) -> None:
    """Search a corpus for queries whose answers are known.

    Says nDCG@10 and recall@100, per precision.
    """
    answers = judged.read()
    passes = _passes(measured.column(), codec or [])
    wanted = list(dict.fromkeys(name for both in passes for name in both if name is not None))
    reports = []
    with _encoded(measured, wanted, list(answers.corpus.values())) as opened:
        for column, rescored in passes:
            second = str(rescored) if rescored else ""
            reports.append(opened.evaluate_retrieval(str(column), answers, second))
            if not printed.silent:
                typer.echo(_line(reports[-1]))
    if printed.as_json:
        console.print_json({"searches": [asdict(report) for report in reports]})


def _line(report: "RetrievalReport") -> str:
    """A report for people."""
    left_out = f" ({report.left_out:,} that cannot be encoded left out)" if report.left_out else ""
    ordered = f" ordered by {report.rescored}" if report.rescored else ""
    return (
        f"{report.column}{ordered}: nDCG@10 {100 * report.ndcg_at_10:.2f}, "
        f"recall@100 {100 * report.recall_at_100:.2f}, {report.queries:,} queries over {report.texts:,} texts{left_out}"
    )


def _passes(column: "ColumnName", codecs: Sequence[str]) -> "list[tuple[ColumnName, ColumnName | None]]":
    """The columns of each search: of its only or first pass, and of the second one, or None."""
    known = embank.codec_names()
    found = []
    for written in codecs or [column.codec]:
        first, _, second = written.partition("+")
        if first not in known or (second and second not in known) or written.endswith("+"):
            raise embank.errors.UsageError(
                f"found --codec {written!r}; known are {', '.join(known)}, and two of them as FIRST+SECOND"
            )
        found.append((replace(column, codec=first), replace(column, codec=second) if second else None))
    return found


def _own(encoder: str, options: "BankOptions") -> "ColumnName":
    """The column of an encoder's own vectors, of its last layer, at float32."""
    located = embank.locate(encoder, options.reading, local_files_only=options.local_files_only)
    return embank.ColumnName(located.name, located.layers, "own", codec="float32")


@contextmanager
def _encoded(measured: Measured, columns: "Sequence[ColumnName]", texts: Sequence[Any]) -> "Iterator[Bank]":
    """A bank, kept or to be deleted, that has these texts in columns of one encoder."""
    with (
        tempfile.TemporaryDirectory(prefix="embank-") as deleted,
        embank.Bank.open_or_create(measured.bank or Path(deleted) / "bank", measured.options()) as bank,
    ):
        known = {one.name for one in bank.summary().encoders}
        encoder = None if columns[0].encoder in known else measured.encoder
        bank.encode(texts, columns=[str(column) for column in columns], encoder=encoder)
        yield bank
