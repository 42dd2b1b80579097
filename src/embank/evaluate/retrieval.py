"""A column measured by search: queries whose relevant texts are known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from embank.errors import UsageError
from embank.metrics.ranking import ndcg, recall
from embank.search.column import SearchedColumn, full_name
from embank.search.queries import query_vectors
from embank.search.rescoring import search_column
from embank.session import Session
from embank.store.catalogue import UNKNOWN
from embank.texts import keys_and_faults

DEPTHS: Final = (10, 100)
"""Where nDCG and recall are cut."""


@dataclass(frozen=True, kw_only=True)
class RetrievalReport:
    """How well a search by cosine finds what is relevant; means over the queries that have something relevant.

    Attributes:
        column: whose vectors.
        rescored: the column that ordered ten times as many texts of a first pass over `column`; "": none did.
        texts: that were searched.
        left_out: texts of the corpus that cannot be encoded; where they are relevant, they count as not found.
        queries: that were measured.
        ndcg_at_10: gains of the first 10, discounted, as a share of the best order's.
        recall_at_100: share of the relevant texts among the first 100.
    """

    column: str
    rescored: str
    texts: int
    left_out: int
    queries: int
    ndcg_at_10: float
    recall_at_100: float


@dataclass(frozen=True, eq=False, kw_only=True)
class JudgedQueries:
    """Queries whose answers are known.

    Attributes:
        corpus: texts to search, by id.
        queries: by id.
        relevant: by query, grades of texts by id; what is not graded has grade 0.
        excluded: by query, ids of texts that are taken out of its results.
    """

    corpus: Mapping[str, Any]
    queries: Mapping[str, Any]
    relevant: Mapping[str, Mapping[str, float]]
    excluded: Mapping[str, set[str]] = field(default_factory=dict)


def evaluate_retrieval(session: Session, column: str, judged: JudgedQueries, rescored: str = "") -> RetrievalReport:
    """Measure a column on queries with known answers; texts of the corpus that the bank lacks are encoded and banked.

    The column is searched as `search` does it, but a binary one is a first pass only where `rescored` says so.

    Args:
        session: of the bank; queries are not banked.
        column: its name.
        judged: corpus, queries, and what is relevant.
        rescored: a column that orders ten times as many texts of a first pass over the other one; "": none.

    Raises:
        UsageError: nothing to search, or no query with something relevant; columns of vectors of unequal width.
    """
    corpus, queries, relevant, taken = judged.corpus, judged.queries, judged.relevant, judged.excluded
    keys, bad = keys_and_faults(list(corpus.values()))
    names = [name for at, name in enumerate(corpus) if at not in bad]
    measured = [name for name in queries if any(grade > 0 for grade in relevant.get(name, {}).values())]
    if not names or not measured:
        raise UsageError(
            f"found {len(names)} texts and {len(measured)} queries with something relevant; one of each is needed: "
            "do the ids of --qrels stand in --queries?"
        )
    deepest = max(DEPTHS) + max((len(taken.get(name, ())) for name in measured), default=0)
    sound = [key for key in keys if key is not None]
    store = session.store
    searched, *others = [full_name(session, one) for one in (column, rescored) if one]
    for one in (searched, *others):
        _fill(session, one, [corpus[name] for name in names], sound)
    vectors = query_vectors(session, (others or [searched])[0], [queries[name] for name in measured])
    numbers = store.catalogue.lookup(sound)
    finer = SearchedColumn(store, others[0]) if others else None
    found = search_column(SearchedColumn(store, searched, np.unique(numbers)), vectors, deepest, finer)
    called: dict[int, list[str]] = {}
    for name, number in zip(names, numbers.tolist(), strict=True):
        called.setdefault(number, []).append(name)
    gains, shares = [], []
    for at, name in enumerate(measured):
        out = taken.get(name, ())
        best = [each for number in found.texts[found.queries == at].tolist() for each in called[number]]
        ranking = [each for each in best if each not in out]
        grades = {text: grade for text, grade in relevant[name].items() if text not in out}
        gains.append(ndcg(ranking, grades, DEPTHS[0]))
        shares.append(recall(ranking, {text for text, grade in grades.items() if grade > 0}, DEPTHS[1]))
    return RetrievalReport(
        column=column,
        rescored=rescored,
        texts=len(names),
        left_out=len(bad),
        queries=len(measured),
        ndcg_at_10=float(np.mean(gains)),
        recall_at_100=float(np.mean(shares)),
    )


def _fill(session: Session, column: str, texts: list[Any], keys: list[bytes]) -> None:
    """Encode what has no row in a column yet."""
    store = session.store
    numbers = store.catalogue.lookup(keys)
    there = numbers != UNKNOWN
    if column in store.catalogue.columns():
        there[there] = store.reader(column).has(numbers[there])
    else:
        there[:] = False
    if not there.all():
        session.vectors([column], [text for text, has in zip(texts, there.tolist(), strict=True) if not has])
