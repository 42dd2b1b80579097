"""`embank dedup` writes groups; every mistake gets one line."""

import csv
import io
import json

import pytest

COMPUTE = ("--backend", "torch", "--dtype", "float32")


def test_groups_are_written_and_a_second_run_looks_at_new_texts_only(bank, run, sample, tmp_path):
    arguments = ("dedup", bank, "--columns", "minilm/6/mean", "--threshold", "0.8", "-o", tmp_path / "groups.csv")
    first = run(*arguments)
    assert first.code == 0, first.err
    assert "360 texts in minilm/6/mean@float16: " in first.out
    before = (tmp_path / "groups.csv").read_bytes()
    again = run(*arguments)
    assert "360 texts were grouped before" in again.out
    assert (tmp_path / "groups.csv").read_bytes() == before
    more = tmp_path / "more.jsonl"
    row = next(csv.DictReader(io.StringIO(sample.read_text(encoding="utf-8"))))
    rows = [{"id": "new", "message": row["message"] + "."}, {"id": "same", "message": row["message"]}]
    more.write_text("\n".join(map(json.dumps, rows)))
    assert run("encode", bank, more, "--text", "message", "--id", "id", "--quiet", *COMPUTE).code == 0
    report = json.loads(run(*arguments, "--json").out)
    assert (report["known"], report["compared"], report["repeated_ids"]) == (360, 360, 1)
    rows = {
        row["id"]: row for row in csv.DictReader(io.StringIO((tmp_path / "groups.csv").read_text(encoding="utf-8")))
    }
    assert rows["new"]["representative"] == rows["same"]["representative"]
    assert (rows["same"]["exact"], rows["new"]["exact"]) == ("true", "false")
    assert float(rows["new"]["score"]) > 0.8


def test_groups_go_down_a_pipe_without_other_words(bank, run):
    done = run("dedup", bank, "--threshold", "0.5", "-o", "-", "--columns", "minilm/6/mean")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert {"group", "representative", "id", "score", "exact"} == set(rows[0])


def test_an_approximate_run_says_so(bank, run, tmp_path):
    pytest.importorskip("usearch")
    done = run("dedup", bank, "--threshold", "0.8", "-o", tmp_path / "groups.jsonl", "--approximate")
    assert done.code == 0, done.err
    assert "a few near duplicates may be missing" in done.out
    report = json.loads(run("dedup", bank, "-o", tmp_path / "groups.jsonl", "--approximate", "--json").out)
    assert report["way"] == "approximate"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dedup", "{bank}", "--threshold", "0", "-o", "groups.csv"], "above 0 and at most 1"),
        (["dedup", "{bank}", "--threshold", "1.5", "-o", "groups.csv"], "above 0 and at most 1"),
        (["dedup", "{bank}", "--columns", "minilm/5/mean", "-o", "groups.csv"], "no column 'minilm/5/mean@float16'"),
        (["dedup", "{bank}", "-o", "groups.xlsx"], ".xlsx"),
        (["dedup", "{bank}", "-o", "no/where/groups.csv"], "no/where"),
        (["dedup", "{bank}", "-o", "-", "--json"], "name a file"),
        (["dedup", "nowhere", "-o", "groups.csv"], "there is no bank at nowhere"),
    ],
)
def test_a_mistake_gets_one_line(arguments, said, made, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*[argument.format(bank=made) for argument in arguments])
    assert done.code == 1, done.out
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not list(tmp_path.glob("groups*"))
