"""Measures of a ranking: Spearman's correlation with grades, nDCG and recall."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata


def spearman(one: Float[np.ndarray, " pairs"], other: Float[np.ndarray, " pairs"]) -> float:
    """The correlation of ranks, with the mean rank for equal values; NaN if one of the two is constant.

    >>> round(spearman(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0])), 6)
    0.8
    """
    # scipy.stats.spearmanr differs from this in the last bit, and reports of trained students hold the number
    left, right = rankdata(one) - (len(one) + 1) / 2, rankdata(other) - (len(other) + 1) / 2
    lengths = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / lengths if lengths > 0 else float("nan")


def ndcg(ranking: Sequence[str], grades: Mapping[str, float], depth: int) -> float:
    """Discounted gains of the first `depth` texts, as a share of what the best order would have.

    The gain of a text is its grade, as trec_eval and BEIR have it, and the discount of rank r is log2(r + 1). Grades
    below 0 count as 0.

    >>> round(ndcg(["b", "a"], {"a": 1}, 10), 4)
    0.6309
    """
    discounts = 1 / np.log2(np.arange(2, depth + 2))
    gains = [max(0.0, grades.get(name, 0.0)) for name in ranking[:depth]]
    ideal = sorted((max(0.0, grade) for grade in grades.values()), reverse=True)[:depth]
    best = float(np.dot(ideal, discounts[: len(ideal)]))
    return float(np.dot(gains, discounts[: len(gains)])) / best if best > 0 else 0.0


def recall(ranking: Sequence[str], relevant: Collection[str], depth: int) -> float:
    """The share of the relevant texts that is among the first `depth`.

    >>> recall(["a", "b", "c"], {"a", "c", "d", "e"}, 3)
    0.5
    """
    return len(set(ranking[:depth]) & set(relevant)) / len(relevant) if relevant else 0.0
