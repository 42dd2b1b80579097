"""The report: one file without addresses, that can be parsed, says everything, and escapes what users wrote."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import pytest

from embank.errors import InputError, UsageError
from embank.planning.documents import SCHEMA, advice_for, document, dumped, read_advice
from embank.planning.figures import Curve, Frame, Point, axis, lines, scatter
from embank.planning.report import page
from planning.plans_by_hand import BINARY, FEW, FINETUNE, FROZEN, SMALL, TAIL, task_plan, whole_plan

NASTY = 'topic <script>alert("x")</script> & co'


def parsed(html):
    """The page as a tree; it is written so that a strict parser takes it."""
    return ET.fromstring(html.removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - our own page


def test_a_report_needs_nothing_from_elsewhere():
    html = page(whole_plan())
    for word in ("http:", "https:", "//", "<script", "<link", "@import", "url(", "<img", "src="):
        assert word not in html, word


def test_a_report_is_well_formed_and_has_a_title_for_every_figure():
    tree = parsed(page(whole_plan()))
    figures = tree.findall(".//svg")
    assert len(figures) == 4
    for figure in figures:
        named = figure.attrib["aria-labelledby"].split()
        assert [figure.find(f"*[@id='{name}']") is not None for name in named] == [True, True]
        assert figure.attrib["role"] == "img"
    ids = [element.attrib["id"] for element in tree.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))


def test_what_users_wrote_is_escaped():
    html = page(whole_plan(replace(task_plan(), task=NASTY)))
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    parsed(html)


def test_a_report_says_what_was_advised_measured_and_left_out():
    html = page(whole_plan())
    for words in (
        "Serve it with frozen heads.", "frozen heads at binary", "it would have taken about 90 s", "a processor, 2 cores",
        "full fine-tuning for each task", "prefers-color-scheme: dark", "a note", "Break-even",
    ):  # fmt: skip
        assert words in html, words


def test_crossings_are_marked_where_the_cheapest_way_changes():
    plan = whole_plan()
    changes = next(one.by_tasks for one in plan.balances if (one.unit, one.bank) == ("seconds", "empty"))
    assert [change.way for change in changes] == [SMALL.name, FROZEN.name]
    tree = parsed(page(plan))
    marked = [mark.find("title").text for mark in tree.findall(".//g[@class='crossing']")]
    assert marked == [f"from {changes[1].at:,} tasks on, {FROZEN.name} is cheapest"]


def test_several_tasks_have_figures_of_their_own():
    html = page(whole_plan(task_plan("one"), task_plan("two", (FROZEN, TAIL, FEW, FINETUNE))))
    assert len(parsed(html).findall(".//svg")) == 6
    assert "Task two" in html


def test_a_plan_that_measured_nothing_is_a_report_as_well():
    html = page(whole_plan(task_plan(ways=(), advice=None)))
    assert parsed(html).findall(".//svg") == []
    assert "Nothing." in html


def test_names_in_a_figure_do_not_lie_on_each_other():
    points = [Point(f"way {number}", "frozen", 10.0, 80.0, 79.0, 81.0) for number in range(8)]
    own = axis("x", [10.0], str, logarithmic=True)
    tree = ET.fromstring(scatter(Frame("f", "t", "d", own, axis("y", [80.0], str, logarithmic=False)), points))  # noqa: S314
    heights = sorted(float(text.attrib["y"]) for text in tree.findall(".//text[@class='name']"))
    assert all(below - above >= 14.9 for above, below in pairwise(heights))


def test_a_figure_of_lines_stays_inside_its_frame():
    own = axis("tasks", [1, 100], str, logarithmic=True)
    frame = Frame("f", "t", "d", own, axis("cost", [1.0, 50.0], str, logarithmic=True))
    tree = ET.fromstring(lines(frame, [Curve("steep", "student", lambda x: x**3)], []))  # noqa: S314 - our own figure
    path = tree.find(".//path[@class='line']").attrib["d"]
    assert all(0 <= float(place.split(",")[1]) <= 420 for place in path[1:].split(" L"))


def test_a_document_has_its_schema_and_can_be_read_back(tmp_path):
    plan = whole_plan(task_plan("one"), task_plan("two", (FROZEN, TAIL, FINETUNE), TAIL), task_plan("three", (), None))
    path = tmp_path / "plan.json"
    path.write_text(dumped(plan))
    given = json.loads(path.read_text())
    assert given == json.loads(json.dumps(document(plan)))
    assert given["schema"] == SCHEMA
    assert set(given["plans"][0]["ways"][0]) == {
        "way", "family", "title", "columns", "cut", "method", "layers", "score", "low", "high", "interval", "runs",
        "held_out", "expected", "training_seconds", "texts_per_second", "more_per_second", "bytes_per_text", "flops_per_text",
        "seconds", "flops", "total_seconds", "total_flops", "banked_texts", "passes", "epochs", "trial_seconds",
    }  # fmt: skip
    advice = read_advice(path)
    assert [(one.task, one.way, one.columns) for one in advice] == [
        ("one", FROZEN.name, FROZEN.columns), ("two", TAIL.name, TAIL.columns),
    ]  # fmt: skip
    assert advice_for(advice, "two", path).epochs == 6
    assert not advice[0].outside
    with pytest.raises(UsageError, match="it has: one, two"):
        advice_for(advice, "four", path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("{}", "says schema None"),
        (f'{{"schema": "{SCHEMA}"}}', "lacks 'plans'"),
        ("[]", "schema None"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path, content, message):
    path = tmp_path / "plan.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_advice(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_advice(tmp_path / "absent.json")


def test_ways_have_stable_names():
    assert [way.name for way in (FROZEN, BINARY, TAIL, FEW, SMALL, FINETUNE)] == [
        "frozen/float16", "frozen/binary", "tail/3/full", "limited/5/first8", "student/2", "finetune",
    ]  # fmt: skip
