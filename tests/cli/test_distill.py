"""Students on the command line: distilled from files, searched beside their teacher; mistakes answered in one line."""

import csv
import json
import subprocess
import sys

import pytest

import embank
from embank.cli._app import app
from material.tails import save_tiny, texts_of

TEXTS = texts_of(60)
QUICK = ("--epochs", "1", "--batch", "16", "--backend", "torch", "--dtype", "float32")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a teacher, and texts in two files."""
    folder = tmp_path_factory.mktemp("place")
    save_tiny(folder / "tiny")
    (folder / "one.txt").write_text("\n".join(TEXTS[:30]) + "\n")
    with (folder / "two.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["text", "other"], *([text, "x"] for text in TEXTS[25:])])
    return folder


def called(*arguments):
    app([str(one) for one in arguments], standalone_mode=False)


def distilled(place, out, *more):
    asked = ("--teacher", place / "tiny", "--student", "2", "--width", "8")
    called("distill", "train", out, place / "one.txt", place / "two.csv", *asked, *QUICK, *more)


def test_a_student_is_distilled_from_several_files_and_encodes(place, tmp_path, capsys):
    distilled(place, tmp_path / "small", "--matryoshka", "2,4")
    printed = capsys.readouterr().out
    assert "teacher's PCA" in printed
    assert "6 texts that were held out of 60" in printed
    assert "--columns small/2/own@int8" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["small"]  # no bank, no checkpoint
    called(
        "encode",
        tmp_path / "bank",
        place / "one.txt",
        "--encoder",
        tmp_path / "small",
        "--columns",
        "small/2/own@int8",
        *QUICK[4:],
    )
    with embank.Bank.open(tmp_path / "bank") as bank:
        assert [(column.name, column.width) for column in bank.summary().columns] == [("small/2/own@int8", 8)]


def test_flags_reach_the_settings_and_the_bank_keeps_the_teacher(place, tmp_path, capsys):
    bank = tmp_path / "bank"
    more = ("--recipe", "paper", "--unit", "--bank", bank, "--seed", "3", "--json")
    distilled(place, tmp_path / "small", *more)
    report = json.loads(capsys.readouterr().out)
    found = report["settings"]
    assert (found["unit"], found["training"]["seed"], found["training"]["batch"]) == (True, 3, 16)
    assert report["origins"]["column"] == "tiny/4/mean@float16"
    with embank.Bank.open(bank) as opened:
        assert [column.name for column in opened.summary().columns] == ["tiny/4/mean@float16"]
        assert len(opened) == 60
    called("distill", "fill", bank, tmp_path / "small", "--codec", "float16")
    name = capsys.readouterr().out.partition(":")[0]
    with embank.Bank.open(bank) as opened:
        assert opened.vectors(name).shape == (60, 8)
    asked = ("--columns", name, "--query-encoder", tmp_path / "small", "-k", "3", "--json", *QUICK[4:])
    called("search", bank, TEXTS[7], *asked)
    found = json.loads(capsys.readouterr().out)["found"]
    assert len(found) == 3
    assert found[0]["score"] > 0.5


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--matryoshka", "4,x"), "malformed --matryoshka '4,x': write widths, as in 16,32"),
        (("--matryoshka", "8"), "numbers from 1 to 7"),
        (("--recipe", "third"), "unknown --recipe 'third': use best or paper"),
        (("--width", "33"), "found a width of 33, expected at most 32, which the teacher has"),
        (("--student", "7"), "found a student of 7 layers; tiny has 4"),
        (("--student", "nowhere"), "no encoder at 'nowhere'"),
    ],
)
def test_mistakes_are_answered_in_one_line_and_leave_no_student(place, tmp_path, more, says):
    with pytest.raises(embank.errors.EmbankError) as refused:
        distilled(place, tmp_path / "small", *more)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_student_that_is_there_is_not_written_over(place, tmp_path):
    (tmp_path / "small").mkdir()
    with pytest.raises(embank.errors.UsageError, match="exists already"):
        distilled(place, tmp_path / "small")


def test_without_texts_there_is_nothing_to_learn_from(place, tmp_path, run):
    done = run("distill", "train", tmp_path / "small", "--teacher", place / "tiny")
    assert (done.code, done.out) == (2, "")
    assert "missing argument 'FILE...'" in done.err


def test_an_error_is_one_line_and_a_status(place, tmp_path):
    line = ["distill", "train", str(tmp_path / "small"), str(place / "one.txt"), "--width", "0"]
    done = subprocess.run([sys.executable, "-m", "embank", *line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip().count("\n") == 0
    assert "found a width of 0" in done.stderr
