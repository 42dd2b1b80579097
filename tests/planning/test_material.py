"""Rows for trials: nothing is trained on and scored in the same run."""

from dataclasses import replace

import numpy as np
import pytest

from embank.errors import HeadError, UsageError
from embank.planning.intervals import Scored, difference, score, scored
from embank.planning.material import dealt, decided, inner_split, numbered, task_rows


def rows_of(count, classes=3):
    return task_rows("topic", list(range(count)), [f"c{at % classes}" for at in range(count)], "auto")


def test_equal_texts_have_one_number_and_what_is_no_text_has_none():
    numbers, texts = numbered(["a", None, "b", "a", ["x", "y"]])
    assert numbers == [0, -1, 1, 0, 2]
    assert texts == ["a", "b", ("x", "y")]


@pytest.mark.parametrize("count", [100, 250, 2000])
def test_no_run_is_scored_on_rows_that_it_saw(count):
    trials = dealt(rows_of(count), 250, 0)
    assert trials.folds == (count < 2000)
    for run in trials.runs:
        assert not set(run.train.tolist()) & set(run.test.tolist())
        held = inner_split(trials.rows, run)
        assert 0.1 < held.mean() < 0.3


def test_folds_hold_out_every_row_once_and_every_class():
    trials = dealt(rows_of(200), 200, 0)
    held_out = np.concatenate([run.test for run in trials.runs])
    assert sorted(held_out.tolist()) == list(range(200))
    assert all(len(set(trials.rows.y[run.test])) == 3 for run in trials.runs)
    assert "3 folds of 200 texts" in trials.protocol


def test_spare_rows_are_held_out_from_all_runs():
    trials = dealt(rows_of(5000), 500, 0)
    assert len(trials.runs[0].train) == 500
    assert len(trials.runs[0].test) == 1000
    assert all(run.test is trials.runs[0].test for run in trials.runs)
    assert "1,000 others held out" in trials.protocol


def test_numbers_are_dealt_by_their_size():
    rows = task_rows("size", list(range(100)), [at / 7 for at in range(100)], "auto")
    trials = dealt(rows, 100, 0)
    means = [trials.rows.y[run.test].mean() for run in trials.runs]
    assert max(means) - min(means) < 1.0


def test_refusals_name_the_column():
    with pytest.raises(HeadError, match="column 'topic': all 50 texts have the same label"):
        task_rows("topic", list(range(50)), ["one"] * 50, "auto")
    with pytest.raises(HeadError, match="found 20 labelled texts, expected 40 or more"):
        task_rows("topic", list(range(20)), ["a", "b"] * 10, "auto")
    with pytest.raises(UsageError, match="no kind of task"):
        task_rows("topic", list(range(50)), ["a", "b"] * 25, "colour")


def test_decisions_come_in_the_form_of_the_labels():
    rows = rows_of(60)
    assert decided(rows, np.array([0, 1]), ("c0", "c2")).tolist() == ["c0", "c2"]
    several = task_rows("tags", list(range(60)), [("a",), ("b",), ("a", "c")] * 20, "multi")
    assert decided(several, np.array([[1, 1]]), ("a", "c")).tolist() == [[1, 0, 1]]


def test_three_folds_are_as_sure_as_all_their_rows():
    random = np.random.default_rng(0)
    truth = random.choice(["a", "b"], 300)
    guess = np.where(random.random(300) < 0.8, truth, "a")
    parts = np.split(np.arange(300), 3)
    runs = {at: scored(truth[part], guess[part], "single", at) for at, part in enumerate(parts)}
    level = {at: replace(one, points=80.0) for at, one in runs.items()}
    found, whole = score(level, level, folds=True), scored(truth, guess, "single", 0)
    assert found.interval == "normal, resampled rows of 3 folds"
    assert found.high - found.points == pytest.approx(1.96 * np.std(whole.resamples), rel=0.2)
    alone = score({0: runs[0]}, runs, folds=True)
    assert alone.high - alone.low > 1.4 * (found.high - found.low), "a third of the rows"


def test_folds_that_disagree_more_than_their_rows_explain_widen_an_interval():
    rows = np.random.default_rng(0).normal(0, 1, 100)
    runs = {at: Scored(80.0 + 6 * (at - 1), 300, 80 + rows) for at in range(3)}
    found = score(runs, runs, folds=True)
    assert found.high - found.points == pytest.approx(1.96 * np.sqrt(36 / 3))
    still = {at: Scored(75.0, 300, 75 + rows) for at in range(3)}
    assert difference(runs, still, 5.0, folds=True).low == pytest.approx(5.0 - 1.96 * np.sqrt(36 / 3))


def test_seeds_that_disagree_widen_an_interval():
    rows = np.random.default_rng(0).normal(0, 1, 100)
    alike = {seed: Scored(80.0, 300, 80 + rows) for seed in range(3)}
    apart = {seed: Scored(80.0 + 4 * (seed - 1), 300, 80 + rows) for seed in range(3)}
    narrow, wide = (score(runs, runs, folds=False) for runs in (alike, apart))
    assert narrow.interval == "normal, resampled rows of 3 seeds"
    assert narrow.high - narrow.points == pytest.approx(1.96 * np.std(rows))
    assert wide.high - wide.points == pytest.approx(1.96 * np.sqrt(np.var(rows) + 16 / 3))


def test_a_way_that_ran_on_a_hard_fold_only_is_brought_to_all_folds():
    reference = {0: Scored(70.0, 40), 1: Scored(90.0, 40)}
    found = score({0: Scored(72.0, 40)}, reference, folds=True)
    assert found.points == 82.0
    assert found.runs == 1
    assert "normal" in found.interval


def test_one_run_has_the_interval_of_resampled_rows():
    truth = np.array(["a", "b"] * 100)
    guess = np.where(np.random.default_rng(0).random(200) < 0.8, truth, "a")
    one = scored(truth, guess, "single", 0)
    found = score({0: one}, {0: one}, folds=True)
    assert found.low < found.points < found.high
    assert 4 < found.high - found.low < 20


def test_differences_are_taken_on_the_same_rows():
    random = np.random.default_rng(0)
    hard = random.normal(0, 4, 100)
    better, worse = {0: Scored(81.0, 40, 81 + hard)}, {0: Scored(80.0, 40, 80 + hard)}
    found = difference(better, worse, 1.0, folds=True)
    assert (found.low, found.high) == (1.0, 1.0), "both find the same rows hard"
    apart = difference(better, {1: Scored(80.0, 40, 80 + hard)}, 1.0, folds=True)
    assert apart.low < 0 < apart.high


def test_a_measure_without_rows_of_a_regression_has_no_interval():
    one = {0: Scored(50.0, 40, bounded=False)}
    assert score(one, one, folds=True).interval.startswith("unknown")
