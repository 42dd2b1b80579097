"""The report and the JSON of a plan: they say everything, differ by task, escape what users wrote, and are read back."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from embank.errors import InputError
from embank.plan.json_document import SCHEMA, document, plan_json, read_plan
from embank.plan.report import plan_html
from embank.reports import figures
from material.plans import BINARY, FINETUNE, FROZEN, SMALL, TAIL, task_plan, whole_plan

NASTY = 'topic <script>alert("x")</script> & co'


def parsed(html):
    """The page as a tree; it is written so that a strict parser takes it."""
    return ET.fromstring(html.removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - our own page


def test_what_users_wrote_is_escaped():
    plan = whole_plan(task_plan(NASTY))
    html = plan_html(plan)
    assert "<script" not in html
    assert NASTY in "".join(parsed(html).itertext())


def test_a_report_says_what_was_measured_and_what_was_not():
    html = plan_html(whole_plan())
    for words in (
        "Serve topic with frozen heads at float16.", "frozen heads at binary", "it would have taken about 90 s", "a processor, 2 cores",
        "full fine-tuning of an encoder per task", "80.0 points (95 %: 78.0 to 82.0)", "a note", "Break-even",
    ):  # fmt: skip
        assert words in html, words


def test_titles_of_figures_differ_by_task_and_say_what_is_to_be_seen():
    plan = whole_plan(task_plan("one"), task_plan("two", (FROZEN, TAIL, FINETUNE), TAIL))
    titles = [title.text for title in parsed(plan_html(plan)).findall(".//figure/h3")]
    assert titles == [
        "one: frozen float16 is close enough to fine-tuning, the best",
        "one: frozen float16 takes 16.9 min, fine-tuning 1.2 times as long",
        "two: tail from layer 2 is close enough to fine-tuning, the best",
        "two: tail from layer 2 takes 18.5 min, fine-tuning 1.1 times as long",
        "With nothing encoded yet, frozen float16 is cheapest",
        "With all texts in the bank already, frozen float16 is cheapest",
    ]


def test_crossings_are_marked_where_the_cheapest_way_changes():
    plan = whole_plan()
    changes = next(one.by_tasks for one in plan.balances if one.bank == "empty")
    assert [change.way for change in changes] == [SMALL.name, FROZEN.name]
    html = plan_html(plan)
    assert f"2-layer student is cheapest; frozen float16 from {changes[1].at:,} tasks on" in html
    drawing = html[html.index('id="tasks-empty-figure') :]
    assert f">{changes[1].at:,} tasks</text>" in drawing


def test_lines_of_ways_have_colours_of_their_own():
    html = plan_html(whole_plan())
    drawing = html[html.index("tasks-empty-title") : html.index("tasks-filled-title")]
    drawn = [style for style in re.findall(r'style="([^"]*)"', drawing) if "stroke-width: 2" in style]
    assert len({re.search(r"--series-\d", style).group() for style in drawn}) == 4


def test_a_plan_that_measured_nothing_is_a_report_as_well():
    html = plan_html(whole_plan(task_plan(ways=(), way=None)))
    assert parsed(html).findall(".//svg") == []
    assert "No advice for topic." in html


def test_without_matplotlib_the_report_says_how_to_get_figures(monkeypatch):
    monkeypatch.setattr(figures, "is_installed", lambda _: False)
    html = plan_html(whole_plan())
    assert "pip install 'embank[report]'" in "".join(parsed(html).itertext())
    assert parsed(html).findall(".//svg") == []
    assert "80.0" in html, "the tables stay"


def test_a_document_has_its_schema_and_can_be_read_back(tmp_path):
    plan = whole_plan(task_plan("one"), task_plan("two", (FROZEN, TAIL, FINETUNE), TAIL), task_plan("three", (), None))
    path = tmp_path / "plan.json"
    path.write_text(plan_json(plan))
    given = json.loads(path.read_text())
    assert given == json.loads(json.dumps(document(plan)))
    assert given["schema"] == SCHEMA == "embank-plan/3"
    assert set(given["plans"][0]["ways"][0]) == {
        "way", "family", "title", "columns", "cut", "layers", "score", "low", "high", "runs", "held_out",
        "training_seconds", "texts_per_second", "more_per_second", "bytes_per_text", "flops_per_text",
        "seconds", "total_seconds", "banked_texts", "epochs", "trial_seconds",
    }  # fmt: skip
    assert set(given["plans"][0]["recommendation"]) == {
        "way", "best", "headline", "words", "behind", "standard_error", "complete",
    }  # fmt: skip
    advice = read_plan(path)
    assert [(one.task, one.way) for one in advice] == [("one", FROZEN), ("two", TAIL)]
    assert advice[1].epochs == 6
    assert not advice[0].way.outside
    assert FINETUNE.outside


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("{}", "says schema None"),
        ('{"schema": "embank-plan/2"}', "says schema 'embank-plan/2', expected 'embank-plan/3'"),
        (f'{{"schema": "{SCHEMA}"}}', "lacks 'plans'"),
        ("[]", "schema None"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path, content, message):
    path = tmp_path / "plan.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_plan(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_plan(tmp_path / "absent.json")


def test_advice_is_printed_one_paragraph_per_task_and_one_for_all():
    plan = whole_plan(task_plan("one"), task_plan("two"))
    assert [words.split(":")[0] for words in plan.words] == ["one", "two", "All tasks"]
    assert replace(plan, plans=plan.plans[:1]).words == [
        "one: Serve one with frozen heads at float16. It is close enough."
    ]


def test_ways_have_stable_names():
    assert [way.name for way in (FROZEN, BINARY, TAIL, SMALL, FINETUNE)] == [
        "frozen/float16", "frozen/binary", "tail/2/full", "student/2", "finetune",
    ]  # fmt: skip


def test_a_plan_is_shown_as_text_and_as_html():
    plan = whole_plan(task_plan(NASTY))
    for words in (
        "a processor, 2 cores",
        f"task {NASTY}: ",
        "next task  bytes",
        "  frozen heads at float16",
        "not measured: ",
        "a note",
    ):
        assert words in str(plan)
    assert "\n\n" in str(plan)
    html = plan._repr_html_()
    assert "<th>next task</th>" in html
    assert "<script" not in html
