"""Rows for trials: nothing is trained on and scored in the same run."""

import numpy as np
import pytest

from embank.errors import HeadError, UsageError
from embank.plan.rows import decided, folds_of, held_back, protocol, task_rows, used


def rows_of(count, classes=3):
    return task_rows("topic", list(range(count)), [f"c{at % classes}" for at in range(count)], "auto")


@pytest.mark.parametrize("count", [100, 250, 2000])
def test_no_fold_is_scored_on_rows_that_it_saw(count):
    rows = rows_of(count)
    for fold in folds_of(rows, 250, 0):
        assert not set(fold.train.tolist()) & set(fold.test.tolist())
        assert 0.1 < held_back(rows, fold).mean() < 0.3


def test_folds_hold_out_every_row_once_and_every_class():
    rows = rows_of(200)
    folds = folds_of(rows, 200, 0)
    assert used(folds).tolist() == list(range(200))
    assert all(len(set(rows.y[fold.test])) == 3 for fold in folds)
    assert "3 folds of 200 texts" in protocol(folds)


def test_no_more_rows_are_used_than_a_trial_may():
    folds = folds_of(rows_of(5000), 500, 0)
    assert len(used(folds)) == len(set(used(folds).tolist())) == 500


def test_numbers_are_divided_by_their_size():
    rows = task_rows("size", list(range(100)), [at / 7 for at in range(100)], "auto")
    means = [rows.y[fold.test].mean() for fold in folds_of(rows, 100, 0)]
    assert max(means) - min(means) < 1.0


def test_refusals_name_the_column():
    with pytest.raises(HeadError, match="column 'topic': all 50 texts have the same label"):
        task_rows("topic", list(range(50)), ["one"] * 50, "auto")
    with pytest.raises(HeadError, match="found 20 labelled texts, expected 40 or more"):
        task_rows("topic", list(range(20)), ["a", "b"] * 10, "auto")
    with pytest.raises(UsageError, match="unknown kind of task"):
        task_rows("topic", list(range(50)), ["a", "b"] * 25, "colour")


def test_decisions_come_in_the_form_of_the_labels():
    rows = rows_of(60)
    assert decided(rows, np.array([0, 1]), ("c0", "c2")).tolist() == ["c0", "c2"]
    several = task_rows("tags", list(range(60)), [("a",), ("b",), ("a", "c")] * 20, "multi")
    assert decided(several, np.array([[1, 1]]), ("a", "c")).tolist() == [[1, 0, 1]]
