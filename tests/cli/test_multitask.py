"""Trunks on the command line: trained from a file of sources, evaluated; and mistakes answered in one line."""

import csv
import json
import subprocess
import sys

import pytest

import embank
from embank.cli._app import app
from embank.cli._source_tasks import read_source_file
from material.tails import moods, options, save_tiny, sizes, texts_of

TEXTS = texts_of(40)
QUICK = ("--epochs", "1", "--batch", "8")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with an encoder, rows and a list of sources."""
    folder = tmp_path_factory.mktemp("place")
    save_tiny(folder / "tiny")
    columns = {"text": TEXTS, "other": TEXTS[::-1], "mood": moods(TEXTS), "size": sizes(TEXTS)}
    columns["tokens"] = [json.dumps(text.split()) for text in TEXTS]
    columns["tags"] = [json.dumps(["O"] * (len(text.split()) - 1) + ["B-city"]) for text in TEXTS]
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    (folder / "sources.toml").write_text(
        """
[[source]]
name = "mood"
files = ["rows.csv"]
text = "text"
label = "mood"

[[source]]
name = "size"
files = "rows.csv"
text = "text"
label = "size"
kind = "regression"
weight = 0.5

[[source]]
name = "pair"
files = ["rows.csv"]
text = "text"
pair = "other"
label = "mood"
reads = "apart"

[[source]]
name = "tags"
files = ["rows.csv"]
words = "tokens"
label = "tags"
kind = "tagging"
"""
    )
    return folder


def called(*arguments):
    app([str(one) for one in arguments], standalone_mode=False)


def test_a_trunk_is_trained_and_encodes(place, tmp_path, capsys):
    out = tmp_path / "trunk"
    called("multitask", "train", out, "--sources", place / "sources.toml", "--encoder", place / "tiny", *QUICK)
    printed = capsys.readouterr().out
    for name in ("mood", "size", "pair", "tags"):
        assert name in printed
    assert "pass 1 is kept" in printed
    assert list(tmp_path.iterdir()) == [out]
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        assert bank.encode(TEXTS, encoder=str(out)).new == len(TEXTS)
        assert all(column.name.startswith("trunk/") for column in bank.summary().columns)


def test_a_report_as_json_has_every_source(place, tmp_path, capsys):
    out = tmp_path / "trunk"
    more = ("--encoder", place / "tiny", "--reads", "last", "--rows", "16", "--json", *QUICK)
    called("multitask", "train", out, "--sources", place / "sources.toml", *more)
    report = json.loads(capsys.readouterr().out)
    assert [source["name"] for source in report["sources"]] == ["mood", "size", "pair", "tags"]
    assert all(source["rows"] == 16 for source in report["sources"])
    assert report["settings"]["reads"] == "last"
    assert all("baseline" in source and "guess" not in source for source in report["sources"])


def test_tasks_are_left_out_and_what_that_brings_is_printed(place, tmp_path, capsys):
    more = ("--encoder", place / "tiny", "--leave-out", "mood,size", *QUICK)
    called("multitask", "evaluate", tmp_path / "work", "--sources", place / "sources.toml", *more)
    printed = capsys.readouterr().out
    assert "mean gain on tasks that were left out" in printed
    assert "over 2 tasks" in printed
    assert {path.name for path in (tmp_path / "work").iterdir()} == {"all", "without-mood+size", "scores"}


def test_a_trunk_that_is_there_is_not_written_over(place, tmp_path):
    (tmp_path / "trunk").mkdir()
    with pytest.raises(embank.errors.UsageError, match="exists already"):
        called("multitask", "train", tmp_path / "trunk", "--sources", place / "sources.toml")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no [[source]]"),
        ("[[source]", "is not a TOML file"),
        ("rate = 1\n", "the key 'rate'"),
        ("source = [1]\n", "source 1 of"),
        ('[[source]]\nname = "a"\nlabel = "mood"\ntext = "text"\n', "has no files"),
        ('[[source]]\nname = "a"\nfiles = "rows.csv"\nlabel = "mood"\n', "either text or words"),
        (
            '[[source]]\nname = "a"\nfiles = 1\nlabel = "mood"\ntext = "text"\n',
            "the files 1, expected a path or a list",
        ),
        ('[[source]]\nname = "a"\nfiles = "rows.csv"\nlabel = "mood"\ntext = "text"\nlang = "en"\n', "the key 'lang'"),
        ('[[source]]\nname = "a"\nfiles = "rows.csv"\nlabel = "m"\ntext = "text"\nreads = "apart"\n', "has no pair"),
        ('[[source]]\nname = "a"\nfiles = "rows.csv"\nlabel = "m"\ntext = "text"\nreads = "x"\n', "reads 'x'"),
        ('[[source]]\nname = "a"\nfiles = "rows.csv"\nlabel = "m"\ntext = "text"\nweight = 0\n', "the weight 0"),
        (2 * '[[source]]\nname = "a"\nfiles = "rows.csv"\nlabel = "m"\ntext = "text"\n', "two sources named 'a'"),
    ],
)
def test_a_file_of_sources_that_cannot_be_understood_says_why(tmp_path, content, says):
    path = tmp_path / "sources.toml"
    path.write_text(content)
    with pytest.raises(embank.errors.UsageError) as raised:
        read_source_file(path)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--reads", "first"), "unknown --reads 'first'"),
        (("--temperature", "0"), "temperature of 0"),
        (("--rows", "0"), "0 rows"),
        (("--batch", "0"), "batch 0"),
    ],
)
def test_flags_that_no_training_can_start_with_are_refused(place, tmp_path, more, says):
    with pytest.raises(embank.errors.UsageError, match=says):
        called("multitask", "train", tmp_path / "out", "--sources", place / "sources.toml", *more)


def test_a_mistake_is_one_line_and_no_traceback(tmp_path):
    command = [sys.executable, "-m", "embank", "multitask", "train", str(tmp_path / "out"), "--sources", "absent.toml"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert found.stderr.count("\n") == 1
    assert "absent.toml cannot be read" in found.stderr
