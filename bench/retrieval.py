"""Retrieval on Cranfield and CISI: each precision of minilm, beside sentence-transformers' own quantisation and BM25.

Embank's columns are minilm's own vectors as `embank evaluate retrieval` measures them; in `first+second` ten times as
many texts come from a first pass, and the second codec orders them. sentence-transformers quantises the same float32
vectors: int8 with the corpus for calibration; ubinary by Hamming distance alone, with its rescoring of the bits of ten
times as many by the float32 query, and with the first hundred ordered by int8 rows, as its documentation advises. BM25
as rank-bm25 (words in lower case) and bm25s (its own tokenizer with English stop words) have it, at their defaults. A
query's excluded texts are taken out of everybody's results. Gains are the grades of the files.

    python bench/retrieval.py [--sets cranfield,cisi] [--also SPEC,SPEC+CODEC] [--students FOLDER,FOLDER] [--dry]
"""

import argparse
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measuring import WORK, claim, data_folder, record

import embank
from embank.codecs import codec_names
from embank.encoders.load import locate
from embank.evaluate.retrieval import DEPTHS, JudgedQueries
from embank.linalg.cosine import unit
from embank.metrics.ranking import ndcg, recall

COLUMN = "minilm/6/own"
TEN, HUNDRED = DEPTHS
PEERS = {
    "sentence_transformers": "sentence-transformers",
    "usearch": "usearch",
    "rank_bm25": "rank-bm25",
    "bm25s": "bm25s",
}

CLAIMED = {
    "int8": f"Embank {COLUMN}@int8",
    "binary": f"Embank {COLUMN}@binary",
    "ubinary": "sentence-transformers ubinary, bits rescored by the query",
    "bm25": "BM25, bm25s",
    "pca96": f"Embank {COLUMN}+pca96@int8",
}
"""By the last word of a claim, the way whose share of float32's nDCG@10 is claimed, on the set where it is lowest."""

Scores = tuple[float, float]
"""nDCG@10 and recall@100."""


@dataclass(frozen=True)
class Corpus:
    """A set: texts and queries by id, grades and exclusions by query."""

    texts: dict[str, str]
    queries: dict[str, str]
    grades: dict[str, dict[str, float]]
    excluded: dict[str, set[str]]

    @classmethod
    def read(cls, name: str) -> "Corpus":
        """Read a set of the data folder."""
        folder = data_folder() / "retrieval" / name
        texts, queries = (
            dict(
                zip(
                    *(pq.read_table(folder / f"{part}.parquet")[column].to_pylist() for column in ("id", "text")),
                    strict=True,
                )
            )
            for part in ("corpus", "queries")
        )
        grades: dict[str, dict[str, float]] = {}
        for row in pq.read_table(folder / "qrels.parquet").to_pylist():
            grades.setdefault(row["query_id"], {})[row["doc_id"]] = float(row["relevance"])
        excluded: dict[str, set[str]] = {}
        if (folder / "exclude.parquet").is_file():
            for row in pq.read_table(folder / "exclude.parquet").to_pylist():
                excluded.setdefault(row["query_id"], set()).add(row["doc_id"])
        return cls(texts, queries, grades, excluded)

    @property
    def judged(self) -> JudgedQueries:
        """As `Bank.evaluate_retrieval` takes it."""
        return JudgedQueries(corpus=self.texts, queries=self.queries, relevant=self.grades, excluded=self.excluded)

    @property
    def asked(self) -> list[str]:
        """Queries that have something relevant."""
        return [name for name in self.queries if any(grade > 0 for grade in self.grades.get(name, {}).values())]

    def scores(self, rankings: list[list[str]]) -> Scores:
        """Means over the queries that are asked, of rankings in their order."""
        gains, shares = [], []
        for name, best in zip(self.asked, rankings, strict=True):
            out = self.excluded.get(name, set())
            ranking = [text for text in best if text not in out]
            grades = {text: grade for text, grade in self.grades[name].items() if text not in out}
            gains.append(ndcg(ranking, grades, TEN))
            shares.append(recall(ranking, {text for text, grade in grades.items() if grade > 0}, HUNDRED))
        return float(np.mean(gains)), float(np.mean(shares))


def student_ways(bank: embank.Bank, corpus: Corpus, folder: str) -> dict[str, Scores]:
    """A distilled student's own vectors."""
    name = re.sub(r"[^\w.-]", "-", Path(folder).name)
    located = locate(f"student-{name}={folder}")
    columns = [f"{located.name}/{located.layers}/own@{codec}" for codec in ("float32", "int8", "binary")]
    bank.encode(list(corpus.texts.values()), columns=columns, encoder=f"{located.name}={folder}")
    found = {}
    for column in columns:
        report = bank.evaluate_retrieval(column, corpus.judged)
        found[f"Embank {column}"] = (report.ndcg_at_10, report.recall_at_100)
    return found


def embank_ways(
    name: str, corpus: Corpus, also: list[str], students: list[str]
) -> tuple[dict[str, Scores], tuple[Any, Any]]:
    """Each precision, and first passes; and the float32 vectors of texts and queries. The bank is kept."""
    specs = [f"{COLUMN}@{codec}" for codec in codec_names()] + [f"{COLUMN}@binary+int8", *also]
    passes = {}
    for spec in specs:
        column, _, codec = spec.partition("@")
        first, _, second = codec.partition("+")
        passes[spec] = (f"{column}@{first}", f"{column}@{second}" if second else "")
    columns = list(dict.fromkeys(one for both in passes.values() for one in both if one))
    found = {}
    options = embank.BankOptions(compute=embank.ComputeOptions("torch", "float32"))
    with embank.Bank.open_or_create(WORK / f"retrieval-{name}", options) as bank:
        bank.encode(list(corpus.texts.values()), columns=columns)
        for spec, (first, second) in passes.items():
            report = bank.evaluate_retrieval(first, corpus.judged, second)
            found[f"Embank {spec}"] = (report.ndcg_at_10, report.recall_at_100)
        for folder in students:
            found |= student_ways(bank, corpus, folder)
        exact = f"{COLUMN}@float32"
        rows = bank.vectors(exact, list(corpus.texts.values()))
        return found, (rows, bank.queries([corpus.queries[name] for name in corpus.asked], exact))


def quantised(corpus: Corpus, vectors: tuple[Any, Any]) -> dict[str, Scores]:
    """sentence-transformers' quantisation of the same vectors."""
    from sentence_transformers.util.quantization import quantize_embeddings, semantic_search_usearch

    rows, asked = vectors
    names = list(corpus.texts)

    def ranked(scores: Any, most: int = 2 * HUNDRED) -> list[list[str]]:
        return [[names[at] for at in np.argsort(-row, kind="stable")[:most]] for row in scores]

    def searched(precision: str, top: int, *, rescore: bool) -> list[list[int]]:
        packed = quantize_embeddings(rows, precision, calibration_embeddings=rows)
        found, _ = semantic_search_usearch(
            asked, packed, corpus_precision=precision, top_k=top, calibration_embeddings=rows,
            rescore=rescore, rescore_multiplier=10 if rescore else 1, exact=True,
        )  # fmt: skip
        return [[hit["corpus_id"] for hit in hits] for hits in found]

    def named(places: list[list[int]]) -> list[list[str]]:
        return [[names[at] for at in row] for row in places]

    int8 = quantize_embeddings(rows, "int8", calibration_embeddings=rows).astype(np.float32)
    low, high = rows.min(axis=0), rows.max(axis=0)
    decoded = (int8 + 128) * ((high - low) / 255) + low  # as its own _dequantize_embeddings has it
    found = {
        "sentence-transformers int8": corpus.scores(ranked(asked @ unit(decoded.astype(np.float32)).T)),
    }
    if find_spec("usearch"):
        wide = min(len(names), 10 * HUNDRED)
        hamming = searched("ubinary", wide, rescore=False)
        found["sentence-transformers ubinary"] = corpus.scores(named(hamming))
        bits = searched("ubinary", 2 * HUNDRED, rescore=True)
        found["sentence-transformers ubinary, bits rescored by the query"] = corpus.scores(named(bits))
        ordered = []
        for query, row in zip(asked, hamming, strict=True):
            first = np.array(row[: 10 * TEN])
            ordered.append(first[np.argsort(-(decoded[first] @ query), kind="stable")].tolist())
        found["sentence-transformers ubinary (100), then int8"] = corpus.scores(named(ordered))
    return found


def words(text: str) -> list[str]:
    """Words in lower case."""
    return re.findall(r"\w+", text.lower())


def bm25(corpus: Corpus) -> dict[str, Scores]:
    """Whatever is installed of the two."""
    names, texts = list(corpus.texts), list(corpus.texts.values())
    asked = [corpus.queries[name] for name in corpus.asked]
    found = {}
    if find_spec("rank_bm25"):
        from rank_bm25 import BM25Okapi

        okapi = BM25Okapi([words(text) for text in texts])
        scores = [okapi.get_scores(words(query)) for query in asked]
        rankings = [[names[at] for at in np.argsort(-row, kind="stable")[: 2 * HUNDRED]] for row in scores]
        found["BM25, rank-bm25"] = corpus.scores(rankings)
    if find_spec("bm25s"):
        import bm25s

        index = bm25s.BM25()
        index.index(bm25s.tokenize(texts, stopwords="en", show_progress=False), show_progress=False)
        tokens = bm25s.tokenize(asked, stopwords="en", show_progress=False)
        places, _ = index.retrieve(tokens, k=2 * HUNDRED, show_progress=False)
        found["BM25, bm25s"] = corpus.scores([[names[at] for at in row] for row in places.tolist()])
    return found


def listed(given: str) -> list[str]:
    """What stands between commas."""
    return [one for one in given.split(",") if one]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", default="cranfield,cisi")
    parser.add_argument("--also", default="", help="more columns, as PCA or distilled ones, commas between them")
    parser.add_argument("--students", default="", help="folders of distilled students, commas between them")
    parser.add_argument("--dry", action="store_true", help="print the lines, and do not write them down")
    asked = parser.parse_args()
    sets = asked.sets.split(",")
    tables: list[dict[str, Scores]] = []
    for name in sets:
        corpus = Corpus.read(name)
        own, vectors = embank_ways(name, corpus, listed(asked.also), listed(asked.students))
        theirs = quantised(corpus, vectors) if find_spec("sentence_transformers") else {}
        tables.append(own | theirs | bm25(corpus))
    cells = "".join(f" {name} nDCG@10 | to float32 | recall@100 |" for name in sets)
    lines = [f"| vectors |{cells}", "|---" + "|---:" * (3 * len(sets)) + "|"]
    for way in tables[0]:
        row = ""
        for table in tables:
            gain, share = table[way]
            whole = table[f"Embank {COLUMN}@float32"][0]
            row += f" {100 * gain:.2f} | {100 * gain / whole:.1f} % | {100 * share:.1f} |"
        lines.append(f"| {way} |{row}")
    absent = [peer for module, peer in PEERS.items() if not find_spec(module)]
    lines += ["", f"Not installed, so not measured: {', '.join(absent)}."] if absent else []
    if asked.dry:
        print("\n".join(lines))
    else:
        record("Retrieval", lines)
        for name, way in CLAIMED.items():
            if sets == ["cranfield", "cisi"] and way in tables[0]:
                share = min(table[way][0] / table[f"Embank {COLUMN}@float32"][0] for table in tables)
                claim(f"retrieval.{name}", f"{100 * share:.1f} %")


if __name__ == "__main__":
    main()
