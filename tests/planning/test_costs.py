"""The model of cost: every formula with numbers that can be done in the head."""

import pytest

from embank.encoders.flops import Shape, flops
from embank.planning import Cost
from embank.planning.costs import (
    Pace,
    TrainingPace,
    epochs_of,
    extrapolated,
    mean_pace,
    passes_of,
    steps_of,
)

MINILM = Shape(layers=6, width=384, queries=384, keys=384, inner=1536)


def test_a_total_is_once_and_texts_and_tasks():
    cost = Cost(once=5.0, text=0.1, task=20.0, task_text=0.01)
    assert cost.total(3, 1000) == 5 + 100 + 3 * (20 + 10)
    assert cost.total(3, 1000, fresh=200) == 5 + 20 + 3 * (20 + 10)
    assert cost.filled().total(3, 1000) == 3 * (20 + 10)


def test_half_of_the_layers_take_tokenising_and_half_of_the_rest():
    pace = Pace(opening=1.0, tokenising=0.001, reading=0.005, tokens=25)
    assert pace.until(MINILM, 3) == pytest.approx(0.001 + 0.002)
    assert pace.until(MINILM, 6) == pytest.approx(0.005)
    assert pace.until(MINILM, 0) == pytest.approx(0.001)
    assert pace.tokens_per_second == pytest.approx(5000)


def test_a_share_of_the_layers_is_one_of_operations():
    embedded = Shape(layers=2, width=64, queries=64, keys=64, inner=128, embedding=32)
    pace = Pace(0.0, 0.0, 1.0, 10)
    assert pace.until(embedded, 1) == pytest.approx(flops(embedded, 10, 0, 1) / flops(embedded, 10))


def test_training_grows_with_rows_and_passes():
    pace = TrainingPace(fixed=2.0, row_pass=0.01, row=0.002, passes=5, predicting=0.003)
    assert pace.seconds(1000) == pytest.approx(2 + 1000 * (5 * 0.01 + 0.002))
    other = TrainingPace(fixed=4.0, row_pass=0.03, row=0.004, passes=7, predicting=0.005)
    assert mean_pace([pace, other]) == TrainingPace(3.0, 0.02, 0.003, 6, 0.004)


def test_the_seconds_of_a_fit_go_on_in_a_straight_line():
    assert extrapolated([(100, 1.0), (200, 1.5), (200, 1.7)], 400) == pytest.approx(1.6 + 200 * 0.006)
    assert extrapolated([(100, 0.1), (200, 2.0)], 400) == pytest.approx(4.0), "no steeper than in proportion"
    assert extrapolated([(200, 2.0), (100, 3.0)], 400) == pytest.approx(4.0), "a faster larger fit is noise"
    assert extrapolated([(200, 2.0)], 100) == 2.0, "no less than was measured"


@pytest.mark.parametrize(
    ("rows", "steps", "epochs"), [(640, 200, 10), (640, 300, 15), (5000, 300, 4), (10, 200, 200), (32, 4, 4)]
)
def test_passes_make_enough_steps(rows, steps, epochs):
    assert epochs_of(rows, steps) == epochs


def test_steps_never_fall_below_what_says_something():
    assert steps_of(1000.0, 2.0) == 300
    assert steps_of(520.0, 2.0) == 260
    assert steps_of(0.0, 2.0) == 200
    assert steps_of(5.0, 0.0) == 300


@pytest.mark.parametrize(
    ("tried", "epochs", "expected"),
    [(6, (10, 10), 6), (10, (10, 4), 4), (5, (10, 4), 4), (4, (12, 12), 4), (12, (12, 30), 30), (6, (12, 30), 15)],
)
def test_all_rows_get_the_share_of_passes_that_a_trial_made(tried, epochs, expected):
    assert passes_of(tried, epochs) == expected
