"""A column measured by what is known to be alike: graded pairs of texts, and queries with their relevant texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from embank.bank import Bank
from embank.errors import UsageError
from embank.linalg.cosine import cosines
from embank.metrics.ranking import ndcg, recall, spearman
from embank.search.column import SearchedColumn
from embank.search.rescoring import search_column
from embank.store.catalogue import UNKNOWN
from embank.store.folder import Store
from embank.texts import keys_and_faults

DEPTHS: Final = (10, 100)
"""Where nDCG and recall are cut."""


@dataclass(frozen=True)
class StsReport:
    """How well cosines of pairs follow the grades that people gave.

    Attributes:
        column: whose vectors.
        pairs: that were measured.
        left_out: pairs without a grade, or with a text that cannot be encoded.
        spearman: rank correlation of cosine and grade, from -1 to 1.
    """

    column: str
    pairs: int
    left_out: int
    spearman: float


@dataclass(frozen=True)
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


def evaluate_sts(bank: Bank, column: str, pairs: Sequence[tuple[Any, Any]], grades: Sequence[Any]) -> StsReport:
    """Measure a column on graded pairs; texts that the bank lacks are encoded and banked, and read as stored.

    Args:
        bank: an open bank.
        column: its name.
        pairs: two texts each.
        grades: numbers, higher for more alike; None where there is none.

    Raises:
        UsageError: unequal numbers, a grade that is no number, or fewer than two pairs that can be measured.
    """
    if len(pairs) != len(grades):
        raise UsageError(f"found {len(grades)} grades for {len(pairs)} pairs, expected one each")
    bad = (
        keys_and_faults([one for one, _ in pairs])[1].keys() | keys_and_faults([other for _, other in pairs])[1].keys()
    )
    numbers = [_number(grade, f"the grade of pair {at}") for at, grade in enumerate(grades)]
    sound = [at for at, number in enumerate(numbers) if at not in bad and number is not None]
    if len(sound) < 2:  # noqa: PLR2004 - one pair has no order
        raise UsageError(f"found {len(sound)} pairs with two texts and a grade; a correlation takes two at least")
    left = bank.vectors(column, [pairs[at][0] for at in sound])
    right = bank.vectors(column, [pairs[at][1] for at in sound])
    known = np.array([numbers[at] for at in sound], np.float64)
    return StsReport(column, len(sound), len(pairs) - len(sound), spearman(cosines(left, right), known))


def evaluate_retrieval(
    bank: Bank,
    column: str,
    texts: tuple[Mapping[str, Any], Mapping[str, Any]],
    relevant: Mapping[str, Mapping[str, float]],
    excluded: Mapping[str, set[str]] | None = None,
    rescored: str = "",
) -> RetrievalReport:
    """Measure a column on queries with known answers; texts of the corpus that the bank lacks are encoded and banked.

    The column is searched as `search` does it, but a binary one is a first pass only where `rescored` says so.

    Args:
        bank: an open bank; queries are not banked.
        column: its name.
        texts: the corpus by id, and the queries by id.
        relevant: by query, grades of texts by id; what is not graded has grade 0.
        excluded: by query, ids of texts that are taken out of its results.
        rescored: a column that orders ten times as many texts of a first pass over the other one; "": none.

    Raises:
        UsageError: nothing to search, or no query with something relevant; columns of vectors of unequal width.
    """
    corpus, queries = texts
    keys, bad = keys_and_faults(list(corpus.values()))
    names = [name for at, name in enumerate(corpus) if at not in bad]
    asked = [name for name in queries if any(grade > 0 for grade in relevant.get(name, {}).values())]
    if not names or not asked:
        raise UsageError(
            f"found {len(names)} texts and {len(asked)} queries with something relevant; one of each is needed: "
            "do the ids of --qrels stand in --queries?"
        )
    taken = excluded or {}
    deepest = max(DEPTHS) + max((len(taken.get(name, ())) for name in asked), default=0)
    sound = [key for key in keys if key is not None]
    store = bank.session.store
    searched, *others = [bank.written_out(one) for one in (column, rescored) if one]
    for one in (searched, *others):
        _fill(bank, store, one, [corpus[name] for name in names], sound)
    vectors = bank.queries([queries[name] for name in asked], (others or [searched])[0])
    numbers = store.catalogue.lookup(sound)
    finer = SearchedColumn(store, others[0]) if others else None
    found = search_column(SearchedColumn(store, searched, np.unique(numbers)), vectors, deepest, finer)
    called: dict[int, list[str]] = {}
    for name, number in zip(names, numbers.tolist(), strict=True):
        called.setdefault(number, []).append(name)
    gains, shares = [], []
    for at, name in enumerate(asked):
        out = taken.get(name, ())
        best = [each for number in found.texts[found.queries == at].tolist() for each in called[number]]
        ranking = [each for each in best if each not in out]
        grades = {text: grade for text, grade in relevant[name].items() if text not in out}
        gains.append(ndcg(ranking, grades, DEPTHS[0]))
        shares.append(recall(ranking, {text for text, grade in grades.items() if grade > 0}, DEPTHS[1]))
    return RetrievalReport(
        column, rescored, len(names), len(bad), len(asked), float(np.mean(gains)), float(np.mean(shares))
    )


def _fill(bank: Bank, store: Store, column: str, texts: list[Any], keys: list[bytes]) -> None:
    """Encode what has no row in a column yet."""
    numbers = store.catalogue.lookup(keys)
    there = numbers != UNKNOWN
    if column in store.catalogue.columns():
        there[there] = store.reader(column).has(numbers[there])
    else:
        there[:] = False
    if not there.all():
        bank.vectors(column, [text for text, has in zip(texts, there.tolist(), strict=True) if not has])


def _number(value: Any, what: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not np.isfinite(number):
        raise UsageError(f"{what} is {value!r}, which is no number")
    return number
