"""Exact match and F1 of answers, against the official script by hand."""

import pytest

from embank.errors import HeadError
from embank.labels.answers import Answer
from embank.metrics.spans import squad_scores


@pytest.mark.parametrize(
    ("guess", "texts", "exact", "f1"),
    [
        ("The Rhine.", ("rhine",), 1.0, 1.0),
        ("the Middle Rhine", ("Rhine",), 0.0, 2 / 3),
        ("Bonn", ("Rhine",), 0.0, 0.0),
        ("Rhine", ("Bonn", "a  Rhine!"), 1.0, 1.0),
        ("Middle Rhine Gorge", ("Rhine", "Rhine Gorge"), 0.0, 0.8),
        ("1,250-70", ("125070",), 1.0, 1.0),
        ("no no yes", ("no yes yes",), 0.0, 2 / 3),
        ("theory", ("ory",), 0.0, 0.0),
        ("", ("Rhine",), 0.0, 0.0),
        ("", (), 1.0, 1.0),
        ("the", (), 1.0, 1.0),
        ("Rhine", (), 0.0, 0.0),
    ],
)
def test_scores_are_those_of_the_official_script(guess, texts, exact, f1):
    answer = Answer(texts, (0,) * len(texts))
    assert squad_scores([guess], [answer]) == {"exact_match": exact, "f1": pytest.approx(f1)}


def test_scores_are_means_over_questions():
    answers = [Answer(("Rhine",), (0,)), Answer(("Bonn",), (0,)), Answer(("Main",), (0,)), Answer(("Po",), (0,))]
    scores = squad_scores(["Rhine", "Bonn city", "", "x"], answers)
    assert scores == {"exact_match": 0.25, "f1": pytest.approx((1 + 2 / 3) / 4)}


@pytest.mark.parametrize(("guesses", "answers"), [([], []), (["a"], []), ([], [Answer()])])
def test_scores_want_one_guess_an_answer(guesses, answers):
    with pytest.raises(HeadError, match="expected as many of both"):
        squad_scores(guesses, answers)
