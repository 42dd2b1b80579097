"""The measures against numbers by hand, and against scipy and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import ndcg_score

import embank
from embank.errors import UsageError
from embank.evaluate.retrieval import JudgedQueries
from embank.metrics.ranking import ndcg, recall, spearman


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-1, 1)), min_size=2, max_size=40))
def test_spearman_is_scipys_also_with_ties(pairs):
    one, other = map(np.array, zip(*pairs, strict=True))
    if len(set(one)) > 1 and len(set(other)) > 1:
        assert spearman(one, other) == pytest.approx(spearmanr(one, other).statistic, abs=1e-9)


def test_spearman_of_a_constant_is_no_number():
    assert np.isnan(spearman(np.ones(4), np.arange(4)))


@pytest.mark.parametrize(
    ("ranking", "grades", "depth", "by_hand"),
    [
        (["a", "b"], {"a": 1}, 10, 1),
        (["b", "a"], {"a": 1}, 10, 1 / np.log2(3)),
        (["b", "a"], {"a": 1}, 1, 0),
        (["b", "a", "c"], {"a": 3, "c": 1}, 10, (3 / np.log2(3) + 1 / 2) / (3 + 1 / np.log2(3))),
        (["x"], {"a": 2, "b": 1}, 10, 0),
        (["a"], {"a": -1}, 10, 0),
        ([], {"a": 1}, 10, 0),
        (["a", "b"], {"a": 1, "b": 1, "c": 1}, 2, 1),
    ],
)
def test_ndcg_by_hand(ranking, grades, depth, by_hand):
    assert ndcg(ranking, grades, depth) == pytest.approx(by_hand)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=30), st.integers(1, 12))
def test_ndcg_is_scikit_learns(grades, depth):
    if any(grades):
        names = [str(at) for at in range(len(grades))]
        known = {name: float(grade) for name, grade in zip(names, grades, strict=True)}
        theirs = ndcg_score([grades], [list(range(len(grades), 0, -1))], k=depth)
        assert ndcg(names, known, depth) == pytest.approx(theirs)


def test_recall_by_hand():
    assert recall(["a", "b", "c", "d"], {"b", "d", "e"}, 3) == pytest.approx(1 / 3)
    assert recall(["a"], set(), 3) == 0


@pytest.fixture
def plain(tmp_path):
    angles = np.array([0.0, 0.2, 1.0, 1.2, 2.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    with embank.Bank.create(tmp_path / "bank") as bank:
        bank.put(["a", "b", "c", "d", "e"], vectors, "given/0/own@float32")
        yield bank


COLUMN = "given/0/own@float32"
CORPUS = {name.upper(): name for name in "abcde"}


def test_a_search_is_measured_with_exclusions_and_unread_texts(plain):
    corpus = {**CORPUS, "EMPTY": ""}
    judged = JudgedQueries(
        corpus=corpus,
        queries={"q": "a", "r": "e", "s": "b"},
        relevant={"q": {"B": 2, "A": 1}, "r": {"D": 1, "EMPTY": 1}, "s": {"A": 0}},
    )
    report = plain.evaluate_retrieval(COLUMN, judged)
    assert (report.texts, report.left_out, report.queries) == (5, 1, 2)
    first = (1 + 2 / np.log2(3)) / (2 + 1 / np.log2(3))
    second = (1 / np.log2(3)) / (1 + 1 / np.log2(3))
    assert report.ndcg_at_10 == pytest.approx((first + second) / 2)
    assert report.recall_at_100 == pytest.approx((1 + 0.5) / 2)
    graded = {"q": {"B": 2, "A": 1}}
    judged = JudgedQueries(corpus=corpus, queries={"q": "a"}, relevant=graded, excluded={"q": {"A"}})
    without = plain.evaluate_retrieval(COLUMN, judged)
    assert without.ndcg_at_10 == pytest.approx(1)


def test_cosines_of_pairs_are_correlated_with_their_grades(plain):
    pairs = [("a", "b"), ("a", "c"), ("a", "e"), ("a", ""), ("b", "c")]
    report = plain.evaluate_sts(COLUMN, pairs, [5, 3, 1, 2, None])
    assert (report.pairs, report.left_out, report.spearman) == (3, 2, pytest.approx(1))
    assert plain.evaluate_sts(COLUMN, pairs[:3], ["1", "3", "5"]).spearman == pytest.approx(-1)


def test_what_cannot_be_measured_is_refused_in_words(plain):
    with pytest.raises(UsageError, match="found 1 pairs with two texts and a grade"):
        plain.evaluate_sts(COLUMN, [("a", "b")], [1])
    with pytest.raises(UsageError, match="found 2 grades for 1 pairs"):
        plain.evaluate_sts(COLUMN, [("a", "b")], [1, 2])
    with pytest.raises(UsageError, match="the grade of pair 1 is 'much', which is no number"):
        plain.evaluate_sts(COLUMN, [("a", "b"), ("a", "c")], [1, "much"])
    with pytest.raises(UsageError, match="found 5 texts and 0 queries with something relevant"):
        plain.evaluate_retrieval(COLUMN, JudgedQueries(corpus=CORPUS, queries={"q": "a"}, relevant={"other": {"A": 1}}))
