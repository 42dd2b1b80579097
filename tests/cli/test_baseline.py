"""Yardsticks on the command line: fine-tuned and distilled, in words and in JSON; mistakes answered in one line."""

import csv
import json
import re

import pytest

from material.tails import moods, questions, save_tiny, sizes, tags, texts_of, topics

TEXTS = texts_of(80)
QUICK = ("--epochs", "1", "--batch", "16", "--rate", "0.002")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Training rows and test rows with a column of labels for every kind."""
    place = tmp_path_factory.mktemp("tables")
    for name, texts in (("train", TEXTS[:60]), ("test", TEXTS[60:])):
        pairs, answers = questions(texts)
        columns = {
            "text": texts,
            "mood": moods(texts),
            "topics": ["|".join(names) for names in topics(texts)],
            "size": sizes(texts),
            "tokens": [json.dumps(text.split()) for text in texts],
            "tags": [json.dumps(row) for row in tags(texts)],
            "question": [question for question, _ in pairs],
            "answer": answers,
            "same": ["alike"] * len(texts),
        }
        with (place / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
    return place


KINDS = {
    "single": ("--text", "text", "--label", "mood"),
    "multi": ("--text", "text", "--label", "topics", "--kind", "multi"),
    "regression": ("--text", "text", "--label", "size"),
    "tagging": ("--words", "tokens", "--label", "tags", "--kind", "tagging"),
    "span": ("--text", "question", "--pair", "text", "--label", "answer", "--kind", "span"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_is_told_of_beside_its_teacher(kind, run, tables, folder):
    given = (*KINDS[kind], "--encoder", folder, "--test", tables / "test.csv", *QUICK)
    done = run("baseline", "student", tables / "train.csv", *given)
    assert done.code == 0, done.err
    assert f"task teacher: {kind}" in done.out
    assert f"task student: {kind}" in done.out
    assert "chose head: full fine-tuning; learning rate 0.002" in done.out
    assert "chose head: distilled student; layers: 0, 3 of 0 to 3; parameters: " in done.out
    assert len(re.findall(r"^  test ", done.out, re.MULTILINE)) >= 2
    assert len(re.findall(r"s per pass; predicts [\d,]+ texts/s", done.out)) == 2


def test_a_student_in_json_has_what_finetune_says_for_both(run, tables, folder):
    given = (tables / "train.csv", *KINDS["single"], "--encoder", folder, "--test", tables / "test.csv", *QUICK)
    alone = json.loads(run("baseline", "finetune", *given, "--json").out)
    asked = ("--student-layers", "1,2", "--temperature", "4", "--hidden-weight", "0.5", "--label-weight", "0.3")
    both = json.loads(run("baseline", "student", *given, *asked, "--json").out)
    assert list(both) == ["teacher", "student"]
    assert set(both["student"]) == set(both["teacher"]) == set(alone)
    assert both["teacher"]["validation"] == alone["validation"]
    assert both["teacher"]["test"] == alone["test"]
    chosen = both["student"]["chosen"]
    assert chosen["layers"] == "1, 2 of 0 to 3"
    assert (chosen["temperature"], chosen["weight_of_states"], chosen["share_of_labels"]) == (4.0, 0.5, 0.3)
    assert both["student"]["texts_per_second"] > 0


def test_a_teacher_that_was_fine_tuned_before_is_not_trained_again(run, tables, folder, tmp_path):
    given = (tables / "train.csv", *KINDS["single"], "--encoder", folder, *QUICK, "--json")
    kept = tmp_path / "kept"
    alone = json.loads(run("baseline", "finetune", *given, "--checkpoint", kept).out)
    first = json.loads(run("baseline", "student", *given, "--checkpoint", kept).out)
    assert (tmp_path / "kept.student").is_file()
    again = json.loads(run("baseline", "student", *given, "--checkpoint", kept).out)
    assert first["teacher"]["validation"] == alone["validation"]
    assert again["student"]["validation"] == first["student"]["validation"]


def test_quiet_says_nothing(run, tables, folder):
    done = run("baseline", "student", tables / "train.csv", *KINDS["single"], "--encoder", folder, *QUICK, "--quiet")
    assert (done.code, done.out) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--text", "text", "--label", "mood", "--layers", "0"], "found 0 layers for a student, expected at least 1"),
        (["--text", "text", "--label", "mood", "--layers", "5"], "asks for 5 layers; this encoder has 4, numbered 0 to 3"),
        (["--text", "text", "--label", "mood", "--student-layers", "0,9"], "asks for layer 9; this encoder has 4"),
        (["--text", "text", "--label", "mood", "--student-layers", "first"], "malformed --student-layers 'first': write numbers from 0"),
        (["--text", "text", "--label", "mood", "--student-layers", "2,1"], "found layers 2,1 for a student"),
        (["--text", "text", "--label", "mood", "--temperature", "0"], "found a temperature of 0.0"),
        (["--text", "text", "--label", "mood", "--hidden-weight", "-1"], "found a weight of -1.0 for states"),
        (["--text", "text", "--label", "mood", "--label-weight", "2"], "found a share of 2.0 for labels"),
        (["--text", "text", "--label", "mood", "--epochs", "0"], "found epochs 0, expected at least 1"),
        (["--text", "text", "--label", "same"], "same label, 'alike': there is nothing to learn"),
        (["--text", "text", "--label", "nothing"], "nothing"),
        (["--text", "text", "--words", "tokens", "--label", "mood"], "give --text or --words, not both"),
        (["--label", "mood", "--text", "body"], "has no column 'body'"),
        (["--text", "text", "--label", "answer", "--kind", "span"], "reads pairs, question and context"),
    ],
)  # fmt: skip
def test_a_users_mistake_gets_one_line_and_a_failing_exit(arguments, said, run, tables, folder):
    done = run("baseline", "student", tables / "train.csv", *arguments, "--encoder", folder)
    assert done.code != 0
    assert done.out == ""
    assert said in done.err
    assert done.err.startswith("embank: ")
    assert len(done.err.strip().splitlines()) == 1


def test_a_family_without_layers_of_its_own_is_refused_in_one_line(run, tables, tmp_path):
    strange = save_tiny(tmp_path / "strange", "fnet")
    done = run("baseline", "student", tables / "train.csv", *KINDS["single"], "--encoder", strange)
    assert done.code == 1
    assert "encoders of family 'fnet' cannot be taken apart" in done.err
    assert len([line for line in done.err.splitlines() if line.startswith("embank: ")]) == 1
