"""Trials inside a budget: no plan outlives its minutes, whatever ways take; with a clock that is moved by hand."""

import numpy as np
import pytest

from embank.errors import HeadError
from embank.plan.budget import Budget, OutOfTimeError
from embank.plan.costs import TrainingPace
from embank.plan.rows import folds_of, task_rows
from embank.plan.training_trials import TrainedTrial
from embank.plan.trials import TaskTrials, try_heads, try_training
from embank.plan.ways import trained_ways

STEP = 0.5
ROWS = task_rows("mood", list(range(200)), ["good", "bad"] * 100, "auto")
WAYS = trained_ways("minilm", "bert", 6)
NAMES = [way.name for way in WAYS]


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Trained:
    """Trainings that take so many seconds in steps, and check the budget before each."""

    def __init__(self, budget, seconds, weights=None):
        self.clock, self.done, self.seconds = Clock(), [], seconds
        self.budget = Budget(budget, self.clock)
        self.task = TaskTrials(rows=ROWS, folds=folds_of(ROWS, 200, 0))
        expected = {way: (weights or seconds)[way.name] for way in WAYS}
        for fold in self.task.folds:
            try_training(self.task, fold, expected, self.trial, self.budget, lambda _: None)

    def trial(self, way, rows, fold, _):
        left = self.seconds[way.name]
        while left > 0:
            self.budget.check()
            self.clock.now += min(STEP, left)
            left -= STEP
        self.done.append((way.name, fold.number))
        pace = TrainingPace(0.0, 0.1, 0.0, 0.01)
        return TrainedTrial(guess=rows.y[fold.test], pace=pace, seconds=self.seconds[way.name])


@pytest.mark.parametrize("budget", [0.0, 3.0, 10.0, 37.5, 60.0, 500.0])
@pytest.mark.parametrize("factor", [0.2, 1.0, 5.0])
def test_a_plan_ends_within_a_step_of_its_time_even_where_estimates_are_wrong(budget, factor):
    taken = {name: 7.0 + at for at, name in enumerate(NAMES)}
    weights = {name: seconds / (1 if name == NAMES[0] else factor) for name, seconds in taken.items()}
    found = Trained(budget, taken, weights)
    assert found.clock.now <= budget + STEP
    assert {*found.task.trained, *found.task.reasons} == set(NAMES)


def test_the_tail_at_a_third_of_the_depth_comes_first_and_students_after_their_teacher():
    assert NAMES == ["tail/2/full", "tail/3/full", "finetune", "student/2"]
    assert [way.name for way in trained_ways("x", "bert", 12)][:2] == ["tail/4/full", "tail/6/full"]


def test_every_way_is_run_once_before_any_is_run_again():
    found = Trained(1000.0, dict.fromkeys(NAMES, 5.0))
    assert found.done == [(name, number) for number in range(3) for name in NAMES]
    assert not found.task.reasons


def test_when_time_is_short_the_first_tail_is_the_one_that_was_measured():
    found = Trained(8.0, dict.fromkeys(NAMES, 5.0))
    assert found.done == [("tail/2/full", 0)]
    assert found.task.reasons["tail/3/full"] == "it would have taken about 5 s, and 3 s were left"


def test_what_does_not_fit_is_said_with_its_seconds_and_cheaper_ways_go_on():
    taken = {**dict.fromkeys(NAMES, 5.0), "finetune": 100.0}
    found = Trained(40.0, taken)
    assert "finetune" not in found.task.trained
    assert found.task.reasons["finetune"] == "it would have taken about 100 s, and 30 s were left"
    assert ("student/2", 0) in found.done


def test_what_was_cut_off_is_no_measurement():
    found = Trained(20.0, dict.fromkeys(NAMES, 50.0))
    assert not found.done
    assert not found.task.trained
    assert "cut off after 20 s" in found.task.reasons["tail/2/full"]


def test_a_fold_that_does_not_fit_leaves_what_was_measured_before():
    found = Trained(4 * 5.0 + 7.0, dict.fromkeys(NAMES, 5.0))
    assert found.done == [*((name, 0) for name in NAMES), ("tail/2/full", 1)]
    assert not found.task.reasons


def test_a_way_that_cannot_be_trained_is_left_out_with_its_reason():
    def fails(*_):
        raise HeadError("training diverged")

    task = TaskTrials(rows=ROWS, folds=folds_of(ROWS, 200, 0))
    try_training(task, task.folds[0], {WAYS[0]: 1.0}, fails, Budget(100.0, Clock()), lambda _: None)
    assert task.reasons == {NAMES[0]: "training diverged"}


def test_heads_are_not_begun_without_time():
    task = TaskTrials(rows=ROWS, folds=folds_of(ROWS, 200, 0))
    clock = Clock()
    budget = Budget(1.0, clock)
    clock.now = 0.9
    try_heads(task, task.folds[0], {"frozen/float16": {}}, np.arange(200), budget, lambda _: None)
    assert not task.heads
    assert "were left" in task.reasons["frozen/float16"]


def test_a_budget_counts_down_and_stops():
    clock = Clock()
    budget = Budget(10.0, clock)
    clock.now = 4.0
    assert (budget.spent, budget.left) == (4.0, 6.0)
    part = budget.part(0.5)
    assert part.left == 3.0
    clock.now = 7.0
    with pytest.raises(OutOfTimeError):
        part.check()
    budget.check()
    assert budget.part(2.0).left == 6.0


def test_families_that_cannot_be_cut_have_no_tails():
    assert [way.name for way in trained_ways("x", "fnet", 4)] == ["finetune"]
    assert [way.name for way in trained_ways("x", "albert", 4)] == ["finetune"]
    assert not [way for way in trained_ways("x", "bert", 2) if way.family == "student"]
