"""Measures: known values, and what guessing scores."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from embank.errors import HeadError
from embank.metrics.classification import PRIMARY, baseline, measures


def test_macro_f1_and_accuracy_of_one_label():
    truth, predicted = ["a", "a", "b", "c"], ["a", "b", "b", "a"]
    found = measures(truth, predicted, "single")
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))


def test_macro_f1_and_exact_match_of_many_labels():
    found = measures([[1, 0], [1, 1]], [[1, 0], [0, 1]], "multi")
    assert found == {"macro_f1": pytest.approx((2 / 3 + 1) / 2), "exact_match": 0.5}


def test_measures_of_numbers():
    found = measures([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], "regression")
    assert found["rmse"] == pytest.approx(np.sqrt(1 / 3))
    assert found["r2"] == pytest.approx(0.5)
    assert found["spearman"] == pytest.approx(1.0)
    assert 0.9 < found["pearson"] < 1


def test_a_constant_prediction_correlates_with_nothing():
    found = measures([1.0, 2.0, 3.0], [2.0, 2.0, 2.0], "regression")
    assert (found["pearson"], found["spearman"], found["r2"]) == (0.0, 0.0, 0.0)


def test_guessing_takes_the_commonest_class():
    found = baseline(["a", "a", "b"], ["a", "b"], "single")
    assert found == {"accuracy": 0.5, "macro_f1": pytest.approx(1 / 3)}


def test_guessing_many_labels_takes_the_commoner_value_of_each():
    assert baseline([[1, 0], [1, 0], [0, 1]], [[1, 0], [1, 1]], "multi")["exact_match"] == 0.5


def test_guessing_numbers_takes_the_mean():
    assert baseline([1.0, 3.0], [2.0, 2.0, 4.0], "regression")["rmse"] == pytest.approx(np.sqrt(4 / 3))


@pytest.mark.parametrize("kind", PRIMARY)
def test_the_primary_measure_is_among_the_measures(kind):
    truth = [[1, 0], [0, 1]] if kind == "multi" else [0, 1]
    assert PRIMARY[kind] in measures(truth, truth, kind)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(HeadError, match="equal shapes"):
        measures([1, 2], [1, 2, 3], "single")
    with pytest.raises(HeadError, match="equal shapes"):
        measures([], [], "single")
