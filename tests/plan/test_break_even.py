"""Break-even, with lines whose crossings are known."""

from hypothesis import given
from hypothesis import strategies as st

from embank.plan import Change, Cost
from embank.plan.break_even import Line, balance, by_tasks, by_texts, cheapest, passes

ENCODER = Cost(once=0.0, text=7.0, task=0.0, task_text=0.0)
STUDENT = Cost(once=0.0, text=0.0, task=0.0, task_text=1.0)
positive = st.floats(0, 1e6, allow_nan=False)


def test_an_encoder_of_seven_students_is_cheaper_from_the_eighth_task_on():
    """T* = C_encoder / (C_student - c_head): at 7 they cost the same (2004.14287)."""
    assert by_tasks(ENCODER, 100).at(7) == by_tasks(STUDENT, 100).at(7)
    assert passes(by_tasks(ENCODER, 100), by_tasks(STUDENT, 100)) == 8
    head = Cost(once=0.0, text=6.0, task=0.0, task_text=0.1)
    assert passes(by_tasks(head, 1), by_tasks(STUDENT, 1)) == 7, "6 / 0.9 = 6.7"


def test_a_filled_bank_is_cheaper_from_the_first_task_on():
    found = balance("filled", {"encoder": ENCODER, "student": STUDENT}, 3, 100)
    assert found.by_tasks == (Change(1, "encoder"),)
    assert found.by_texts == (Change(1, "encoder"),)


def test_lines_that_never_meet_never_break_even():
    assert passes(Line(5, 2), Line(0, 1)) is None
    assert passes(Line(5, 1), Line(0, 1)) is None
    assert passes(Line(0, 1), Line(0, 1)) is None
    assert passes(Line(1e30, 0), Line(0, 1)) is None


def test_the_number_of_texts_counts_as_well():
    trained = Cost(once=0.0, text=0.0, task=100.0, task_text=1.0)
    light = Cost(once=0.0, text=0.0, task=10.0, task_text=2.0)
    assert passes(by_texts(trained, 2), by_texts(light, 2)) == 91
    assert passes(by_texts(light, 2), by_texts(trained, 2)) is None
    found = balance("empty", {"trained": trained, "light": light}, 2, 50)
    assert found.by_texts == (Change(1, "light"), Change(91, "trained"))
    assert found.by_tasks == (Change(1, "light"),)


def test_the_cheapest_changes_from_way_to_way():
    lines = {"student": Line(0, 10), "tail": Line(30, 4), "encoder": Line(90, 1), "never": Line(500, 20)}
    assert cheapest(lines) == (Change(1, "student"), Change(6, "tail"), Change(21, "encoder"))
    assert cheapest(lines, most=10) == (Change(1, "student"), Change(6, "tail"))
    assert cheapest({}) == ()


@given(st.lists(st.tuples(positive, positive), min_size=2, max_size=6), st.integers(1, 500))
def test_what_is_called_cheapest_is_cheapest_everywhere(pairs, number):
    lines = {str(at): Line(*pair) for at, pair in enumerate(pairs)}
    changes = cheapest(lines)
    way = [change.way for change in changes if change.at <= number][-1]
    least = min(line.at(number) for line in lines.values())
    assert lines[way].at(number) <= least + 1e-6 * max(1.0, least)
