"""Scores: each held-out row once, ways compared on the same rows, and how sure that is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embank.metrics.classification import measures
from embank.plan.rows import folds_of, task_rows
from embank.plan.scores import Scores, statistic, strata

ROWS = task_rows("topic", list(range(300)), ["abc"[at % 3] for at in range(300)], "single")
FOLDS = folds_of(ROWS, 300, 0)


def guesses(share, seed, folds=(0, 1, 2)):
    """Predictions that are right for a share of the rows."""
    random = np.random.default_rng(seed)
    said = np.where(random.random(300) < share, ROWS.y, random.choice(list("abc"), 300))
    return {number: said[FOLDS[number].test] for number in folds}


@given(st.integers(0, 1000), st.sampled_from(["single", "multi", "regression"]))
def test_the_measure_is_that_of_a_fit(seed, kind):
    random = np.random.default_rng(seed)
    truth, guess = {
        "single": lambda: (random.choice(list("abcd"), 40), random.choice(list("abce"), 40)),
        "multi": lambda: (random.integers(0, 2, (40, 3)), random.integers(0, 2, (40, 3))),
        "regression": lambda: (random.normal(size=40), random.normal(size=40)),
    }[kind]()
    draws = random.integers(40, size=(5, 40))
    own = measures(truth, guess, kind)
    assert statistic(truth, guess, kind)(np.arange(40)) == pytest.approx(100 * next(iter(own.values())))
    for rows, points in zip(draws, statistic(truth, guess, kind)(draws), strict=True):
        assert points == pytest.approx(100 * next(iter(measures(truth[rows], guess[rows], kind).values())))


def test_three_folds_are_scored_together_each_row_once():
    own = guesses(0.8, 0)
    found = Scores(ROWS, FOLDS, {"frozen": own}).score("frozen")
    places = np.concatenate([fold.test for fold in FOLDS])
    said = np.concatenate([own[number] for number in range(3)])
    assert found.points == pytest.approx(100 * measures(ROWS.y[places], said, "single")["macro_f1"])
    assert (found.runs, found.rows) == (3, 300)
    assert found.low < found.points < found.high
    assert 4 < found.high - found.low < 14, "about 2 * 1.96 * sqrt(0.87 * 0.13 / 300) points"


def test_an_interval_of_one_fold_is_wider_than_that_of_three():
    whole = Scores(ROWS, FOLDS, {"frozen": guesses(0.8, 0)}).score("frozen")
    alone = Scores(ROWS, FOLDS, {"frozen": guesses(0.8, 0, (0,))}).score("frozen")
    assert alone.rows == 100
    assert alone.high - alone.low > 1.3 * (whole.high - whole.low)


def test_a_way_with_one_fold_is_brought_to_all_folds_by_its_difference():
    everywhere = guesses(0.8, 0)
    scores = Scores(ROWS, FOLDS, {"frozen": everywhere, "tail": {0: everywhere[0]}})
    assert scores.score("tail").points == pytest.approx(scores.score("frozen").points), "the same on the fold it has"
    assert scores.score("tail").runs == 1


def test_no_score_leaves_its_scale():
    everywhere = guesses(0.5, 0)
    own = {0: ROWS.y[FOLDS[0].test]}
    everywhere[0] = np.where(np.arange(100) < 90, own[0], everywhere[0])
    found = Scores(ROWS, FOLDS, {"frozen": everywhere, "tail": own}).score("tail")
    assert 0 <= found.low <= found.points <= found.high <= 100


def test_a_difference_is_that_of_the_same_rows_with_its_standard_error():
    """A way that has 12 of 300 rows wrong which the other has right: the paired error is that of 12 rows, not of all."""
    better = guesses(0.8, 0)
    worse = {number: own.copy() for number, own in better.items()}
    right = np.flatnonzero(worse[0] == ROWS.y[FOLDS[0].test])[:12]
    worse[0][right] = np.where(worse[0][right] == "a", "b", "a")
    scores = Scores(ROWS, FOLDS, {"better": better, "worse": worse})
    gap, error = scores.difference("better", "worse")
    assert gap == pytest.approx(scores.score("better").points - scores.score("worse").points)
    assert error == pytest.approx(100 * np.sqrt(12) / 300, rel=0.25)
    alone = (scores.score("better").high - scores.score("better").low) / (2 * 1.96)
    assert error < 0.7 * alone, "what both find hard is no noise"


def test_ways_are_compared_on_the_folds_that_both_have():
    better, worse = guesses(0.9, 1), guesses(0.7, 2, (0,))
    gap, error = Scores(ROWS, FOLDS, {"better": better, "worse": worse}).difference("better", "worse")
    own = [100 * measures(ROWS.y[FOLDS[0].test], way[0], "single")["macro_f1"] for way in (better, worse)]
    assert gap == pytest.approx(own[0] - own[1])
    assert error > 1


def test_rows_are_drawn_class_by_class_and_each_row_belongs_to_one_draw():
    parts = strata(np.array(["a", "b", "a", "c", "b", "d"]), "single")
    assert [part.tolist() for part in parts] == [[0, 2], [1, 4], [3, 5]], "single rows are drawn together"
    assert [part.tolist() for part in strata(np.array(["a", "a", "b"]), "single")] == [[0, 1, 2]]
    assert [part.tolist() for part in strata(np.array([1.0, 2.0]), "regression")] == [[0, 1]]


def test_a_rare_class_that_is_never_found_does_not_lift_the_interval():
    """Drawn from all rows alike, a class of 3 rows would be missing from 5 % of draws, and macro-F1 a third higher."""
    labels = ["a", "b"] * 148 + ["rare"] * 4
    rows = task_rows("topic", list(range(300)), labels, "single")
    folds = folds_of(rows, 300, 0)
    said = np.where(rows.y == "rare", "a", rows.y)
    found = Scores(rows, folds, {"frozen": {fold.number: said[fold.test] for fold in folds}}).score("frozen")
    assert found.points == pytest.approx(66.5, abs=0.5)
    assert found.high < 67


def test_a_way_is_not_behind_itself():
    assert Scores(ROWS, FOLDS, {"frozen": guesses(0.8, 0)}).difference("frozen", "frozen") == (0.0, 0.0)


def test_scores_of_equal_predictions_are_equal_and_certain():
    scores = Scores(ROWS, FOLDS, {"one": guesses(0.8, 0), "two": guesses(0.8, 0)})
    assert scores.difference("one", "two") == (0.0, 0.0)
