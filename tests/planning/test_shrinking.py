"""Scores with the luck taken out: ways that were run seldom are drawn to their like, and those that differ are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embank.planning.intervals import Scored
from embank.planning.shrinking import Standing, expected, standing

SOME = st.lists(
    st.tuples(st.floats(0, 100), st.floats(0.1, 10)).map(lambda pair: Standing(*pair)), min_size=1, max_size=9
)


def named(standings):
    return {str(at): one for at, one in enumerate(standings)}


@given(SOME)
def test_all_are_drawn_inwards_and_none_out_of_what_was_measured(standings):
    found = expected(named(standings))
    points = [one.points for one in standings]
    assert list(found) == list(named(standings))
    assert min(points) - 1e-6 <= min(found.values())
    assert max(found.values()) <= max(points) + 1e-6


@given(SOME, st.floats(-50, 50))
def test_a_shift_of_all_points_shifts_all_that_is_expected(standings, by):
    moved = [Standing(one.points + by, one.deviation) for one in standings]
    for name, points in expected(named(standings)).items():
        assert expected(named(moved))[name] == pytest.approx(points + by, abs=1e-6)


def test_the_uncertain_one_is_drawn_further():
    found = expected({"a": Standing(70, 0.5), "b": Standing(74, 0.5), "c": Standing(78, 0.5), "lucky": Standing(82, 4)})
    assert found["c"] == pytest.approx(78, abs=0.2)
    assert found["lucky"] < 80


def test_luck_taken_out_is_nearer_to_the_truth_than_what_was_measured():
    random = np.random.default_rng(0)
    measured, steady = [], []
    for _ in range(200):
        truth = random.normal(80, 1.5, 8)
        deviations = random.choice([1.0, 3.0, 4.0], 8)
        points = truth + deviations * random.standard_normal(8)
        found = expected(named([Standing(*pair) for pair in zip(points, deviations, strict=True)]))
        measured.append(np.mean((points - truth) ** 2))
        steady.append(np.mean((np.array(list(found.values())) - truth) ** 2))
    assert np.mean(steady) < 0.5 * np.mean(measured)


def test_few_ways_or_unknown_noise_change_nothing():
    assert expected({"a": Standing(70, 1), "b": Standing(80, 1)}) == {"a": 70, "b": 80}
    unknown = {"a": Standing(70, 1), "b": Standing(80, 1), "c": Standing(90, float("nan"))}
    assert expected(unknown) == {"a": 70, "b": 80, "c": 90}


def test_a_way_stands_where_its_difference_on_the_same_runs_puts_it():
    rows = np.random.default_rng(0)
    noise = [rows.normal(0, 3, 100) for _ in range(5)]
    reference = {at: Scored(80.0 + at, 100, 80.0 + at + noise[at]) for at in range(5)}
    way = {4: Scored(85.0, 100, 85.0 + noise[4] + rows.normal(0, 0.5, 100))}
    found = standing(way, reference, folds=True)
    assert found.points == pytest.approx(83.0), "one point above the reference, whose mean is 82"
    assert found.deviation == pytest.approx(0.5, rel=0.2), "what both have in common is no noise"
    assert found.reach == pytest.approx(83.0 + 1.96 * found.deviation)
