"""`embank sample` writes what ships, and nothing else."""

import csv
import io
import json

from embank.samples import SUPPORT


def test_the_sample_is_written_as_it_ships(run):
    done = run("sample")
    assert (done.code, done.err) == (0, "")
    assert done.out == SUPPORT.read_text(encoding="utf-8")
    assert len(list(csv.DictReader(io.StringIO(done.out)))) == 360


def test_the_sample_as_json_has_an_object_per_message(run):
    messages = json.loads(run("sample", "--json").out)["messages"]
    assert list(messages[0]) == ["id", "message", "urgent", "topic", "tags", "satisfaction"]
    assert len(messages) == 360


def test_a_word_that_sample_does_not_know_gets_one_line(run):
    done = run("sample", "messages.csv")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
