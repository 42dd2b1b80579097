"""Advice: the cheapest way within the tolerance of the best, and what is said where that is not sure."""

from dataclasses import replace

import numpy as np
import pytest

from embank.planning import PlanSettings
from embank.planning.intervals import Scored
from embank.planning.recommending import Offer, advised, for_task, mean_costs, overall, span, with_gaps
from planning.plans_by_hand import BINARY, FINETUNE, FROZEN, SETTINGS, SMALL, TAIL, finding, task_plan


def runs(points, spread=0.5):
    """Three folds around a mean; the same rows are hard for all ways."""
    hard = np.random.default_rng(0).normal(0, spread, 100)
    return {number: Scored(points + at, 40, points + at + hard) for number, at in enumerate((-spread, 0, spread))}


def advice(found, tolerance=0.5, scores=None):
    own = scores or {one.way.name: runs(one.score.points) for one in found}
    return for_task(found, own, (PlanSettings(tolerance=tolerance), 1, 1000), folds=True)


def test_the_cheapest_within_the_tolerance_is_advised():
    found = [finding(FROZEN, 80.8), finding(TAIL, 81.0), finding(FINETUNE, 81.2)]
    given = advice(found)
    assert (given.way, given.best) == (FROZEN, FINETUNE)
    assert "within the tolerance of 0.5" in given.words
    assert given.certain


def test_outside_the_tolerance_the_next_cheapest_is_advised():
    given = advice([finding(FROZEN, 80.0), finding(TAIL, 81.0), finding(FINETUNE, 81.2)])
    assert given.way == TAIL
    assert advice([finding(FROZEN, 80.0), finding(FINETUNE, 81.2)], tolerance=2.0).way == FROZEN


def test_exactly_the_tolerance_is_within_it():
    assert advice([finding(FROZEN, 80.7), finding(FINETUNE, 81.2)]).way == FROZEN


def test_of_equal_scores_the_cheaper_is_best_and_of_equal_costs_the_better_is_advised():
    cheap, dear = Offer(FROZEN, 80.0, 1.0), Offer(FINETUNE, 80.0, 9.0)
    assert advised([dear, cheap], 0.0) == (cheap, cheap)
    low, high = Offer(BINARY, 79.8, 1.0), Offer(FROZEN, 80.0, 1.0)
    assert advised([low, high], 0.5) == (high, high)


def test_of_nearly_equal_costs_fewer_bytes_are_advised_within_a_family():
    large, small = Offer(FROZEN, 80.0, 10.0, 3072), Offer(BINARY, 79.8, 10.3, 192)
    assert advised([large, small], 0.5)[0] == small
    assert advised([large, small], 0.1)[0] == large, "within the tolerance only"
    assert advised([large, Offer(BINARY, 79.8, 11.0, 192)], 0.5)[0] == large, "a tenth is no twentieth"
    assert advised([large, Offer(FINETUNE, 80.0, 10.1, 0)], 0.5)[0] == large


def test_a_difference_within_noise_is_called_so():
    rows = np.random.default_rng(0)
    scores = {
        FROZEN.name: {0: Scored(80.8, 40, rows.normal(80.8, 3, 100))},
        FINETUNE.name: {0: Scored(81.2, 40, rows.normal(81.2, 3, 100))},
    }
    given = advice([finding(FROZEN, 80.8), finding(FINETUNE, 81.2)], scores=scores)
    assert given.way == FROZEN
    assert not given.certain
    assert "within noise" in given.words


def test_the_advice_goes_by_what_is_expected_and_says_so():
    lucky = finding(FINETUNE, 86.0)
    lucky = replace(lucky, score=replace(lucky.score, expected=80.4))
    given = advice([finding(FROZEN, 80.0), lucky])
    assert given.way == FROZEN
    assert "86.0 points (84.0 to 88.0), of which 80.4 are expected to last" in given.words


def test_a_cheaper_way_that_may_be_within_the_tolerance_is_named():
    rows = np.random.default_rng(0)
    noisy = {0: Scored(80.0, 40, rows.normal(80.0, 3, 100))}
    top = {0: Scored(81.2, 40, rows.normal(81.2, 3, 100))}
    scores = {FROZEN.name: noisy, TAIL.name: top, FINETUNE.name: top}
    given = advice([finding(FROZEN, 80.0), finding(TAIL, 81.0), finding(FINETUNE, 81.2)], scores=scores)
    assert given.way == TAIL
    assert given.noise == (FROZEN.name,)
    assert "frozen heads at float16" in given.words


def test_the_best_and_cheapest_is_advised_without_more_ado():
    given = advice([finding(FROZEN, 82.0), finding(FINETUNE, 81.2)])
    assert given.way == given.best == FROZEN
    assert "the cheapest" in given.words


def test_where_nothing_was_measured_nothing_is_advised():
    given = for_task([], {}, (SETTINGS, 1, 1000), folds=True)
    assert given.way is None
    assert "--minutes" in given.words


def test_what_was_not_measured_is_named_in_the_advice():
    plan = task_plan()
    given = with_gaps(plan.recommendation, plan.unmeasured)
    assert given.words.endswith("Not measured, and so not compared: frozen heads at binary.")
    assert with_gaps(plan.recommendation, ()) == plan.recommendation


def test_all_tasks_together_get_one_way():
    several = [task_plan("one", (FROZEN, TAIL, FINETUNE)), task_plan("two", (FROZEN, TAIL, SMALL, FINETUNE))]
    assert set(mean_costs(several)) == {FROZEN.name, TAIL.name, FINETUNE.name}
    given = overall(several, 0.5, 3, 1000)
    assert given.way == TAIL, "frozen heads are 1.2 points below the best, the tail 0.2"
    assert "Task one by itself" in given.words
    assert overall(several, 2.0, 3, 1000).way == FROZEN
    assert overall([several[0]], 0.5, 3, 1000) == several[0].recommendation


def test_tasks_that_share_no_way_get_no_common_advice():
    given = overall([task_plan("one", (FROZEN,)), task_plan("two", (TAIL,))], 0.5, 3, 1000)
    assert given.way is None


@pytest.mark.parametrize(("seconds", "words"), [(0.25, "0.2 s"), (75, "75 s"), (5400, "1.5 h"), (200_000, "2.3 days")])
def test_seconds_are_written_for_people(seconds, words):
    assert span(seconds) == words
