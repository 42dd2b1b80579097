"""A column measured by what is known to be alike: graded pairs of texts, and queries with their relevant texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from embank.arrays import Vectors
from embank.bank import Bank
from embank.errors import UsageError
from embank.index import Candidates
from embank.index.exact import ExactIndex
from embank.retrieval.measures import ndcg, recall, spearman
from embank.similarity import cosines
from embank.texts import keys_and_faults

DEPTHS: Final = (10, 100)
"""Where nDCG and recall are cut."""

_BLOCK: Final = 8192


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
        texts: that were searched.
        left_out: texts of the corpus that cannot be encoded; where they are relevant, they count as not found.
        queries: that were measured.
        ndcg_at_10: gains of the first 10, discounted, as a share of the best order's.
        recall_at_100: share of the relevant texts among the first 100.
    """

    column: str
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
) -> RetrievalReport:
    """Measure a column on queries with known answers; texts of the corpus that the bank lacks are encoded and banked.

    Args:
        bank: an open bank; queries are not banked.
        column: its name.
        texts: the corpus by id, and the queries by id.
        relevant: by query, grades of texts by id; what is not graded has grade 0.
        excluded: by query, ids of texts that are taken out of its results.

    Raises:
        UsageError: nothing to search, or no query with something relevant.
    """
    corpus, queries = texts
    bad = keys_and_faults(list(corpus.values()))[1]
    names = [name for at, name in enumerate(corpus) if at not in bad]
    asked = [name for name in queries if any(grade > 0 for grade in relevant.get(name, {}).values())]
    if not names or not asked:
        raise UsageError(
            f"found {len(names)} texts and {len(asked)} queries with something relevant; one of each is needed: "
            "do the ids of --qrels stand in --queries?"
        )
    stored = bank.vectors(column, [corpus[name] for name in names])
    vectors = bank.queries([queries[name] for name in asked], column)
    taken = excluded or {}
    deepest = max(DEPTHS) + max((len(taken.get(name, ())) for name in asked), default=0)
    rankings = _rankings(stored, vectors, deepest)
    gains, shares = [], []
    for name, places in zip(asked, rankings, strict=True):
        ranking = [names[at] for at in places if names[at] not in taken.get(name, ())]
        grades = {text: grade for text, grade in relevant[name].items() if text not in taken.get(name, ())}
        gains.append(ndcg(ranking, grades, DEPTHS[0]))
        shares.append(recall(ranking, {text for text, grade in grades.items() if grade > 0}, DEPTHS[1]))
    return RetrievalReport(column, len(names), len(bad), len(asked), float(np.mean(gains)), float(np.mean(shares)))


def _rankings(stored: Vectors, queries: Vectors, k: int) -> list[list[int]]:
    """Places of the k closest stored vectors of each query, best first, ties in their order."""
    starts = range(0, len(stored), _BLOCK)
    index = ExactIndex(
        lambda: ((np.arange(at, min(at + _BLOCK, len(stored))), stored[at : at + _BLOCK]) for at in starts)
    )
    found: Candidates = index.candidates(queries, k)
    rankings = []
    for at, query in enumerate(queries):
        own = found.texts[found.queries == at]
        scores = cosines(stored[own], np.broadcast_to(query, (len(own), len(query)))).astype(np.float32)
        rankings.append(own[np.lexsort((own, -scores))][:k].tolist())
    return rankings


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
