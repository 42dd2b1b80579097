"""The model of cost: every formula with numbers that can be done in the head."""

import pytest

from embank.encoders.flops import Shape, flops
from embank.plan import Cost
from embank.plan.costs import (
    Pace,
    TrainingPace,
    epochs_of,
    mean_pace,
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
    pace = TrainingPace(fixed=2.0, row_pass=0.01, row=0.002, predicting=0.003)
    assert pace.seconds(1000, 5) == pytest.approx(2 + 1000 * (5 * 0.01 + 0.002))
    other = TrainingPace(fixed=4.0, row_pass=0.03, row=0.004, predicting=0.005)
    assert mean_pace([pace, other]) == TrainingPace(3.0, 0.02, 0.003, 0.004)


@pytest.mark.parametrize(
    ("rows", "steps", "epochs"), [(640, 200, 10), (640, 300, 15), (5000, 300, 4), (10, 200, 200), (32, 4, 4)]
)
def test_passes_make_enough_steps(rows, steps, epochs):
    assert epochs_of(rows, steps) == epochs
