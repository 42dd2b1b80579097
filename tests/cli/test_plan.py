"""`embank plan` and `embank fit --plan` on a tiny encoder: measured, written, obeyed; mistakes answered in one line."""

import csv
import json
import shutil

import pytest

from cli.conftest import COMPUTE, run_main
from embank.bank import Bank
from embank.plan.json_document import SCHEMA
from material.tails import moods, save_tiny, sizes, texts_of

TEXTS = texts_of(90)
QUICK = ("--minutes", "1", *COMPUTE)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a table of labels, a tiny encoder and a bank of the texts."""
    folder = tmp_path_factory.mktemp("plan")
    save_tiny(folder / "tiny")
    columns = {"text": TEXTS, "mood": moods(TEXTS), "size": sizes(TEXTS), "same": ["alike"] * len(TEXTS)}
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    encoder = ("--encoder", f"tiny={folder / 'tiny'}")
    assert run_main("encode", folder / "bank", folder / "rows.csv", *encoder, "--quiet", *COMPUTE) == 0
    return folder


@pytest.fixture(scope="module")
def made(place):
    """A plan that was written in both forms."""
    labels = ("--label", "mood", "--label", "size")
    written = ("-o", place / "plan.html", "-o", place / "plan.json")
    sizes_of = ("--tasks", 5, "--texts", 5000)
    assert run_main("plan", place / "bank", place / "rows.csv", *labels, *sizes_of, *written, "--quiet", *QUICK) == 0
    return place


@pytest.fixture
def bank(place, tmp_path):
    copy = tmp_path / "bank"
    shutil.copytree(place / "bank", copy)
    return copy


def advised(made, tmp_path, way):
    """A plan that advises a certain way, whatever was measured."""
    given = json.loads((made / "plan.json").read_text())
    for task in given["plans"]:
        known = next((one for one in [*task["ways"], *task["unmeasured"]] if one["way"] == way), None)
        assert known is not None, way
        task["ways"].append({"epochs": 1, **known})
        task["recommendation"]["way"] = way
    path = tmp_path / "advised.json"
    path.write_text(json.dumps(given))
    return path


def test_a_plan_says_what_it_measured_what_not_and_what_it_advises(made):
    given = json.loads((made / "plan.json").read_text())
    assert given["schema"] == SCHEMA
    assert (given["tasks"], given["texts"]) == (5, 5000)
    assert given["seconds"] <= 60 * given["minutes"] + 1
    for task in given["plans"]:
        names = [one["way"] for one in (*task["ways"], *task["unmeasured"])]
        assert sorted(names) == sorted({
            "frozen/float32", "frozen/float16", "frozen/int8", "frozen/int4", "frozen/binary", "tail/1/full",
            "tail/2/full", "student/2", "finetune",
        })  # fmt: skip
        assert all(one["reason"] for one in task["unmeasured"])
        assert task["recommendation"]["way"] in {one["way"] for one in task["ways"]}
        assert task["recommendation"]["words"]
    mood = given["plans"][0]
    assert (mood["kind"], mood["measure"], mood["labelled_texts"]) == ("single", "macro_f1", 90)
    frozen = next(one for one in mood["ways"] if one["way"] == "frozen/float16")
    assert frozen["score"] > 80
    assert frozen["low"] <= frozen["score"] <= frozen["high"]
    assert frozen["bytes_per_text"] == 4 * 32 * 2
    assert frozen["banked_texts"] == 90
    assert [one["bank"] for one in given["balances"]] == ["empty", "filled"]


def test_the_report_is_written_beside_it(made):
    html = (made / "plan.html").read_text()
    assert html.startswith("<!DOCTYPE html>")
    assert "http" not in html
    assert "Task mood" in html


def test_the_bank_is_left_as_it_was(made):
    with Bank.open(made / "bank") as opened:
        assert opened.tasks() == []
        assert len(opened.summary().columns) == 4
        assert opened.verify() == []


def test_a_plan_is_printed_in_words_and_tables(place, run):
    done = run("plan", place / "bank", place / "rows.csv", "--label", "mood", "--minutes", "0.4", *COMPUTE)
    assert done.code == 0, done.err
    for words in ("task mood: single, points of macro-F1; 90 labelled texts", "frozen heads at float16",
                  "cheapest by tasks (bank empty)", "mood: Serve mood with"):  # fmt: skip
        assert words in done.out, words


def test_a_plan_that_had_no_time_says_so_and_fails(place, run):
    done = run("plan", place / "bank", place / "rows.csv", "--label", "mood", "--minutes", "0.0001", "--json", *COMPUTE)
    assert done.code == 1
    given = json.loads(done.out)
    assert given["plans"][0]["ways"] == []
    assert given["plans"][0]["recommendation"]["way"] is None
    assert "--minutes" in given["plans"][0]["recommendation"]["words"]


def test_fit_obeys_a_plan_for_all_its_tasks(made, bank, run):
    done = run("fit", bank, made / "rows.csv", "--text", "text", "--plan", made / "plan.json", "--json", *COMPUTE)
    assert done.code == 0, done.err
    advice = {one["task"]: one for one in json.loads((made / "plan.json").read_text())["plans"]}
    fits = {one["task"]: one for one in json.loads(done.out)["fitted"]}
    assert set(fits) == {"mood", "size"}
    for task, fit in fits.items():
        way = advice[task]["recommendation"]["way"]
        columns = next(one["columns"] for one in advice[task]["ways"] if one["way"] == way)
        assert list(fit["columns"]) == columns


def test_fit_makes_columns_of_the_advised_precision(made, bank, run, tmp_path):
    plan = advised(made, tmp_path, "frozen/int8")
    done = run("fit", bank, made / "rows.csv", "--text", "text", "--plan", plan, "--task", "mood", *COMPUTE)
    assert done.code == 0, done.err
    assert "reads tiny/1/mean@int8" in done.out
    with Bank.open(bank) as opened:
        assert [task.name for task in opened.tasks()] == ["mood"]


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("tail/2/full", "tiny/2/states@float16"),
        ("tail/1/full", "tiny/1/states@float16"),
    ],
)
def test_fit_trains_the_advised_tail(made, bank, run, tmp_path, way, said):
    plan = advised(made, tmp_path, way)
    asked = ("--text", "text", "--plan", plan, "--task", "feeling", "--label", "mood")
    done = run("fit", bank, made / "rows.csv", *asked, *COMPUTE)
    assert done.code == 0, done.err
    assert "task feeling: single" in done.out
    assert said in done.out


@pytest.mark.parametrize(
    ("way", "command"),
    [
        ("student/2", "embank baseline student ROWS --layers 2 --label mood --text text"),
        ("finetune", "embank baseline finetune ROWS --label mood"),
    ],
)
def test_what_lives_outside_a_bank_is_named_with_its_command(made, bank, run, tmp_path, way, command):
    plan, rows = advised(made, tmp_path, way), made / "rows.csv"
    done = run("fit", bank, rows, "--text", "text", "--plan", plan, "--task", "mood", *COMPUTE)
    assert done.code == 1
    assert command.replace("ROWS", str(rows)) in done.err
    with Bank.open(bank) as opened:
        assert opened.tasks() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label", "colour"], "colour"),
        (["--label", "same"], "column 'same': all 90 texts have the same label"),
        (["--label", "mood", "--minutes", "0"], "found --minutes 0.0, expected more than 0"),
        (["--label", "mood", "--tolerance", "-1"], "found --tolerance -1.0, expected 0 or more"),
        (["--label", "mood", "--tasks", "0"], "found --tasks 0, expected at least 1"),
        (["--label", "mood", "--texts", "-5"], "found --texts -5, expected at least 1"),
        (["--label", "mood", "--kind", "tagging"], "unknown kind of task"),
        (["--label", "mood", "--text", "body"], "body"),
        (["--label", "mood", "-o", "plan.pdf"], "expected a name that ends in .html or .json"),
        (["--label", "mood", "-o", "nowhere/plan.json"], "there is no folder nowhere"),
    ],
)
def test_mistakes_are_answered_in_one_line(place, run, arguments, message):
    done = run("plan", place / "bank", place / "rows.csv", *arguments, *COMPUTE)
    assert done.code == 1
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_bank_that_is_not_there_is_told(place, run):
    done = run("plan", place / "nowhere", place / "rows.csv", "--label", "mood")
    assert done.code == 1
    assert "there is no bank at" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "colour"], "advises nothing for 'colour'; it has: mood, size"),
        (["--task", "mood", "--tail", "full"], "--plan says what to fit"),
        (["--refit"], "--plan says what to fit"),
    ],
)
def test_what_contradicts_a_plan_is_refused(made, bank, run, arguments, message):
    done = run("fit", bank, made / "rows.csv", "--text", "text", "--plan", made / "plan.json", *arguments)
    assert done.code == 1
    assert message in done.err


def test_a_file_that_is_no_plan_is_refused(made, bank, run):
    done = run("fit", bank, made / "rows.csv", "--text", "text", "--plan", made / "rows.csv")
    assert done.code == 1
    assert "give what 'embank plan --json' wrote" in done.err
