"""Measures of extracted answers: exact match and F1 of words, as SQuAD defines them."""

import re
import string
from collections import Counter
from collections.abc import Sequence

from embank.errors import HeadError
from embank.labels.answers import Answer

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


def squad_scores(guesses: Sequence[str], answers: Sequence[Answer]) -> dict[str, float]:
    """Exact match and F1 of words, as the official script of SQuAD v1.1 counts them (Rajpurkar et al. 2016).

    Both sides are lower-cased and lose punctuation, articles and superfluous white space; of several right answers the
    best one counts; both measures are means over questions. Where one side has no word left, which v1.1 leaves open,
    F1 is 1 if the other has none either, and 0 otherwise: the rule of SQuAD v2.0 (Rajpurkar et al. 2018) for questions
    without an answer, whose right guess is "".

    Returns:
        `exact_match` and `f1`, as fractions.

    Raises:
        HeadError: not one guess for each answer, or none at all.
    """
    if len(guesses) != len(answers) or not guesses:
        message = f"found {len(guesses)} guesses and {len(answers)} answers, expected as many of both, and at least one"
        raise HeadError(message)
    exact = overlap = 0.0
    for guess, answer in zip(guesses, answers, strict=True):
        found = _normal(guess)
        right = [_normal(text) for text in answer.texts] or [[]]
        exact += max(float(found == words) for words in right)
        overlap += max(_word_f1(found, words) for words in right)
    return {"exact_match": exact / len(guesses), "f1": overlap / len(guesses)}


def _normal(text: str) -> list[str]:
    """The words that the official script compares."""
    return _ARTICLES.sub(" ", text.lower().translate(_WITHOUT_PUNCTUATION)).split()


def _word_f1(found: list[str], right: list[str]) -> float:
    if not found or not right:
        return float(found == right)
    shared = (Counter(found) & Counter(right)).total()
    return 2 * shared / (len(found) + len(right))
