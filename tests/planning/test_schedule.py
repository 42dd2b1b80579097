"""The schedule: no plan outlives its minutes, whatever ways take; with a clock that is moved by hand."""

from dataclasses import replace

import numpy as np
import pytest

from embank.errors import HeadError
from embank.planning import Way
from embank.planning import measuring as measuring_module
from embank.planning.costs import TrainingPace
from embank.planning.intervals import Scored
from embank.planning.material import dealt, task_rows
from embank.planning.measuring import Measured, measure_heads, measure_trained
from embank.planning.schedule import Budget, OutOfTimeError, in_order
from embank.planning.tuning import TrainedTrial, Workshop
from embank.planning.ways import trained_ways

STEP = 0.5
ROWS = task_rows("mood", list(range(200)), ["good", "bad"] * 100, "auto")
WAYS = trained_ways("minilm", "bert", 6)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Rates:
    """Expects of each way what it is told."""

    def __init__(self, expected):
        self._expected = expected

    def seconds(self, way, *_):
        return self._expected["finetune" if way.family == "finetune" else way.name]


def trains_for(clock, seconds, done):
    """A training that takes so many seconds in steps, and asks the budget before each."""

    def trial(shop, way, rows, run, epochs):
        left = seconds[way.name]
        while left > 0:
            shop.budget.check()
            clock.now += min(STEP, left)
            left -= STEP
        done.append((way.name, run.number))
        pace = TrainingPace(0.0, 0.1, 0.0, epochs, 0.01)
        return TrainedTrial(Scored(70.0 + len(way.name), 40), len(run.train), pace, seconds[way.name])

    return trial


def measured(monkeypatch, budget, taken, expected=None):
    clock, done = Clock(), []
    monkeypatch.setattr(measuring_module, "trained_trial", trains_for(clock, taken, done))
    task = Measured(dealt(ROWS, 200, 0), 200)
    shop = Workshop(None, [], {}, None, Budget(budget, clock))
    measure_trained(task, WAYS, shop, Rates(expected or taken), lambda _: None)
    return clock, done, task


@pytest.mark.parametrize("budget", [0.0, 3.0, 10.0, 37.5, 60.0, 500.0])
@pytest.mark.parametrize("factor", [0.2, 1.0, 5.0])
def test_a_plan_ends_within_a_step_of_its_time_even_where_estimates_are_wrong(monkeypatch, budget, factor):
    taken = {way.name: 7.0 + at for at, way in enumerate(WAYS)}
    expected = {name: seconds / factor for name, seconds in taken.items()}
    clock, _, task = measured(monkeypatch, budget, taken, expected)
    assert clock.now <= budget + STEP
    assert {*task.trained, *task.reasons} == {way.name for way in WAYS}


def test_what_does_not_fit_is_said_with_its_seconds_and_cheaper_ways_go_on(monkeypatch):
    taken = {way.name: 100.0 if way.family == "finetune" else 5.0 for way in WAYS}
    _, done, task = measured(monkeypatch, 40.0, taken)
    assert "finetune" not in {name for name, _ in done}
    assert task.reasons["finetune"] == "it would have taken about 100 s, and 10 s were left"
    assert "about 105 s" in task.reasons["student/2"], "its teacher has to be trained as well"
    assert ("tail/2/full", 0) in done


def test_a_dear_way_waits_until_the_others_have_been_run(monkeypatch):
    taken = {way.name: 40.0 if way.family == "finetune" else 5.0 for way in WAYS}
    order = [way.name for way in in_order(WAYS)]
    _, done, _ = measured(monkeypatch, 70.0, taken)
    others = [name for name in order if name not in ("finetune", "student/2")]
    assert order.index("finetune") < len(order) - 2
    assert [name for name, _ in done[: len(others)]] == others, "40 s are more than half of the 65 that are left"
    assert done[len(others)] == ("finetune", 0), "and then it fits"
    _, done, _ = measured(monkeypatch, 200.0, taken)
    assert [name for name, _ in done[: len(order)]] == order, "with more time it keeps its place"


def test_what_was_cut_off_is_no_measurement(monkeypatch):
    taken = dict.fromkeys((way.name for way in WAYS), 50.0)
    _, done, task = measured(monkeypatch, 20.0, taken, dict.fromkeys(taken, 10.0))
    assert not done
    assert not task.trained
    assert "cut off after 20 s" in task.reasons["tail/3/full"]


def test_time_that_is_left_goes_to_further_runs_of_the_best(monkeypatch):
    taken = dict.fromkeys((way.name for way in WAYS), 1.0)
    best = max(WAYS, key=lambda way: len(way.name)).name
    _, done, task = measured(monkeypatch, len(WAYS) + 5.0, taken)
    assert done[len(WAYS)] == (best, 1), "first of all the one that looks best is tried again"
    assert not task.reasons
    _, done, _ = measured(monkeypatch, 1000.0, taken)
    assert sorted(number for name, number in done if name == best) == [0, 1, 2]


def test_ways_that_cannot_be_the_best_any_more_get_no_further_runs(monkeypatch):
    taken = dict.fromkeys((way.name for way in WAYS), 1.0)
    clock, done = Clock(), []
    trial = trains_for(clock, taken, done)

    def sure(shop, way, rows, run, epochs):
        found = trial(shop, way, rows, run, epochs)
        points = found.scored.points
        return replace(found, scored=Scored(points, 40, np.linspace(points - 0.1, points + 0.1, 100)))

    monkeypatch.setattr(measuring_module, "trained_trial", sure)
    task = Measured(dealt(ROWS, 200, 0), 200)
    measure_trained(task, WAYS, Workshop(None, [], {}, None, Budget(1000.0, clock)), Rates(taken), lambda _: None)
    best = max(WAYS, key=lambda way: len(way.name)).name
    assert [name for name, number in done if number] == [best] * 2


def test_a_way_that_cannot_be_trained_is_left_out_with_its_reason(monkeypatch):
    def fails(*_):
        raise HeadError("training went astray")

    monkeypatch.setattr(measuring_module, "trained_trial", fails)
    task = Measured(dealt(ROWS, 200, 0), 200)
    shop = Workshop(None, [], {}, None, Budget(100.0, Clock()))
    measure_trained(task, WAYS[:1], shop, Rates({WAYS[0].name: 1.0}), lambda _: None)
    assert task.reasons == {WAYS[0].name: "training went astray"}


def test_heads_are_not_begun_without_time(monkeypatch):
    task = Measured(dealt(ROWS, 200, 0), 200)
    clock = Clock()
    budget = Budget(1.0, clock)
    clock.now = 0.9
    measure_heads(task, {"frozen/float16": {}}, np.arange(200), budget, lambda _: None)
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


def test_the_most_promising_ways_come_first_and_students_after_their_teacher():
    names = [way.name for way in in_order(WAYS)]
    assert names[:3] == ["tail/3/full", "finetune", "tail/2/full"]
    assert names[-1] == "student/2"
    assert in_order([]) == []


def test_families_that_cannot_be_cut_have_no_tails():
    assert [way.name for way in trained_ways("x", "fnet", 4)] == ["finetune"]
    assert [way.name for way in trained_ways("x", "albert", 4)] == ["finetune"]
    assert isinstance(trained_ways("x", "bert", 2)[0], Way)
    assert not [way for way in trained_ways("x", "bert", 2) if way.family == "student"]
