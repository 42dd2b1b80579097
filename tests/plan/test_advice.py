"""Advice: the cheapest way within the tolerance plus one standard error of the best, and what is said of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embank.plan import Unmeasured
from embank.plan.advice import Offer, advised, best_of, for_task, mean_costs, overall, span
from material.plans import BINARY, FINETUNE, FROZEN, HALF, SMALL, TAIL, finding, offers, task_plan

WAYS = (FROZEN, BINARY, TAIL, HALF, SMALL, FINETUNE)


def advice(found, tolerance=0.5, error=0.0, lacking=()):
    return for_task("topic", found, lacking, offers(found, error), tolerance)


@st.composite
def several(draw):
    """Ways with points, standard errors, seconds and bytes."""
    chosen = draw(st.lists(st.sampled_from(WAYS), min_size=1, unique=True))
    points = {way: draw(st.floats(0, 100)) for way in chosen}
    best = max(points.values())
    return [
        Offer(
            way=way,
            points=points[way],
            behind=best - points[way],
            standard_error=0.0 if points[way] == best else draw(st.floats(0, 5)),
            seconds=draw(st.floats(0.1, 1e6)),
            text_bytes=draw(st.sampled_from([0.0, 192.0, 3072.0])),
        )
        for way in chosen
    ]


@given(several(), st.floats(0, 5))
def test_advice_is_never_dearer_than_the_best_and_never_further_behind_than_the_rule_allows(found, tolerance):
    choice, best = advised(found, tolerance), best_of(found)
    assert choice.seconds <= best.seconds
    assert choice.behind <= tolerance + choice.standard_error + 1e-6
    assert best.points == max(one.points for one in found)


@given(several(), st.floats(0, 5))
def test_nothing_that_the_rule_allows_is_clearly_cheaper_than_the_advice(found, tolerance):
    choice = advised(found, tolerance)
    for one in found:
        if one.behind <= tolerance + one.standard_error:
            assert one.seconds >= choice.seconds / 1.05 - 1e-9


def test_the_cheapest_within_the_tolerance_is_advised():
    given = advice([finding(FROZEN, 80.8), finding(TAIL, 81.0), finding(FINETUNE, 81.2)])
    assert (given.way, given.best) == (FROZEN, FINETUNE)
    assert given.headline == "Serve topic with frozen heads at float16."
    assert given.behind == pytest.approx(0.4)
    assert given.complete


def test_outside_the_tolerance_the_next_cheapest_is_advised():
    found = [finding(FROZEN, 80.0), finding(TAIL, 81.0), finding(FINETUNE, 81.2)]
    assert advice(found).way == TAIL
    assert advice([finding(FROZEN, 80.0), finding(FINETUNE, 81.2)], tolerance=2.0).way == FROZEN


def test_exactly_the_tolerance_is_within_it():
    assert advice([finding(FROZEN, 80.7), finding(FINETUNE, 81.2)]).way == FROZEN


def test_one_standard_error_is_allowed_on_top_of_the_tolerance_and_said():
    """0.5 + 0.7 = 1.2 points: a way 1.2 behind is advised, and with a standard error of 0.6 it is not."""
    found = [finding(FROZEN, 80.0), finding(FINETUNE, 81.2)]
    assert advice(found, error=0.6).way == FINETUNE
    given = advice(found, error=0.7)
    assert given.way == FROZEN
    assert given.standard_error == 0.7
    assert "1.2 more on the same rows (standard error 0.7)" in given.words
    assert "more than the tolerance of 0.5 points, but not by more than the 400 held-out rows can show" in given.words


def test_of_equal_scores_the_cheaper_is_best_and_of_equal_costs_the_better_is_advised():
    cheap, dear = finding(FROZEN, 80.0), finding(FINETUNE, 80.0)
    given = advice([dear, cheap], tolerance=0.0)
    assert given.way == given.best == FROZEN
    assert advice([finding(BINARY, 79.8), finding(FROZEN, 80.0)]).way == FROZEN


def offer(way, behind, seconds, size):
    return Offer(way=way, points=80 - behind, behind=behind, standard_error=0.0, seconds=seconds, text_bytes=size)


def test_of_nearly_equal_costs_fewer_bytes_are_advised_within_a_family():
    best, large, small = offer(TAIL, 0.0, 50.0, 9), offer(FROZEN, 0.1, 10.0, 3072), offer(BINARY, 0.3, 10.3, 192)
    assert advised([best, large, small], 0.5) == small
    assert advised([best, large, small], 0.2) == large, "within the tolerance only"
    assert advised([best, large, offer(BINARY, 0.3, 11.0, 192)], 0.5) == large, "a tenth is no twentieth"
    assert advised([best, large, offer(FINETUNE, 0.3, 10.1, 0)], 0.5) == large, "another family"


def test_the_best_and_cheapest_is_advised_without_more_ado():
    given = advice([finding(FROZEN, 82.0), finding(FINETUNE, 81.2)])
    assert given.way == given.best == FROZEN
    assert "It scores 82.0 points (95 %: 80.0 to 84.0)" in given.words
    assert given.words.endswith("It has the best score and the lowest cost.")


def test_where_nothing_was_measured_nothing_is_advised():
    given = advice([], lacking=[Unmeasured(TAIL, "no time")])
    assert given.way is None
    assert not given.complete
    assert "--minutes" in given.words


def test_when_time_is_short_the_advice_names_what_was_not_measured_and_the_rule_that_measured_best():
    given = advice([finding(FROZEN)], lacking=[Unmeasured(HALF, "no time"), Unmeasured(TAIL, "no time")])
    assert given.way == FROZEN
    assert not given.complete
    assert "Not measured: a tail from layer 3, a tail from layer 2." in given.words
    assert given.words.endswith(
        "Where time is short, one rule measured best on six public sets: a tail from a third of the depth, here a tail "
        "from layer 2."
    )
    some = advice([finding(FROZEN), finding(TAIL)], lacking=[Unmeasured(FINETUNE, "no time")])
    assert some.words.endswith("here a tail from layer 2."), "also where the tail itself was measured"
    assert "one rule" not in advice([finding(FROZEN), finding(TAIL)]).words
    none = advice([finding(FROZEN)], lacking=[Unmeasured(FINETUNE, "no time")])
    assert "one rule" not in none.words, "an encoder that cannot be cut has no tail"


def test_headlines_differ_by_task_and_say_what_to_do():
    one = for_task("mood", [finding(FROZEN)], (), offers([finding(FROZEN)]), 0.5)
    other = for_task("size", [finding(TAIL)], (), offers([finding(TAIL)]), 0.5)
    assert one.headline == "Serve mood with frozen heads at float16."
    assert other.headline == "Serve size with a tail from layer 2."


def together(plans, tolerance):
    return overall([(one, offers(one.findings)) for one in plans], tolerance)


def test_all_tasks_together_get_one_way():
    plans = [task_plan("one", (FROZEN, TAIL, FINETUNE)), task_plan("two", (FROZEN, TAIL, SMALL, FINETUNE))]
    assert set(mean_costs(plans)) == {FROZEN.name, TAIL.name, FINETUNE.name}
    given = together(plans, 0.5)
    assert given.way == TAIL, "frozen heads are 1.2 points below the best, the tail 0.2"
    assert "one alone is better served with frozen heads at float16" in given.words
    assert together(plans, 2.0).way == FROZEN
    assert together(plans[:1], 0.5) == plans[0].recommendation


def test_of_frozen_heads_only_the_cheapest_breaks_even_with_other_ways():
    found = mean_costs([task_plan("one", (FROZEN, BINARY, TAIL))])
    assert len(found) == 2
    assert TAIL.name in found


def test_tasks_that_share_no_way_get_no_common_advice():
    given = together([task_plan("one", (FROZEN,)), task_plan("two", (TAIL,))], 0.5)
    assert given.way is None


@pytest.mark.parametrize(("seconds", "words"), [(0.25, "0.2 s"), (75, "75 s"), (5400, "1.5 h"), (200_000, "2.3 days")])
def test_seconds_are_written_for_people(seconds, words):
    assert span(seconds) == words
