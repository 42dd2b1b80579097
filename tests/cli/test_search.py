"""`embank search` in a terminal, a pipe and a file; every mistake gets one line."""

import json

import pyarrow.parquet as pq
import pytest


def test_words_are_searched_and_shown(bank, run):
    done = run("search", bank, "where is my parcel", "-k", "3", "--columns", "minilm/6/mean")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].split() == ["rank", "score", "id"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3"]
    found = json.loads(run("search", bank, "where is my parcel", "-k", "3", "--columns", "minilm/6/mean", "--json").out)
    assert [row["id"] for row in found["found"]] == [line.split()[2] for line in lines[1:]]
    assert list(found["found"][0]) == ["query", "rank", "id", "score"]


def test_many_queries_come_from_a_file_and_go_into_one(bank, run, sample, tmp_path):
    out = tmp_path / "near.parquet"
    done = run("search", bank, "--file", sample, "--text", "message", "--id", "id", "-k", "2", "-o", out)
    assert done.code == 0, done.err
    assert "720 rows" in done.out
    rows = pq.read_table(out).to_pylist()
    best = [row for row in rows if row["rank"] == 1]
    assert all(row["query"] == row["id"] for row in best)
    assert all(abs(row["score"] - 1) < 1e-6 for row in best)


def test_a_task_narrows_what_is_found(bank, run):
    done = run("search", bank, "money", "-k", "400", "--where", "topic=delivery", "--json")
    found = {row["id"] for row in json.loads(done.out)["found"]}
    assert run("predict", bank, "--task", "topic", "-o", bank.parent / "said.jsonl").code == 0
    said = [json.loads(line) for line in (bank.parent / "said.jsonl").read_text().splitlines()]
    assert found == {row["id"] for row in said if row["topic"] == "delivery"}


def test_several_queries_are_shown_one_after_another(bank, run):
    done = run("search", bank, "a refund", "a parcel", "-k", "1")
    assert done.out.startswith("0: a refund\n")
    assert "1: a parcel\n" in done.out


def test_an_approximate_search_keeps_a_graph_and_finds_the_same(bank, run):
    pytest.importorskip("usearch")
    words = ("search", bank, "where is my parcel", "-k", "5", "--json")
    near = json.loads(run(*words, "--approximate").out)
    assert len(list((bank / "index").iterdir())) == 1
    assert near == json.loads(run(*words, "--approximate").out)
    exact = {row["id"]: row["score"] for row in json.loads(run(*words).out)["found"]}
    assert sum(exact.get(row["id"]) == row["score"] for row in near["found"]) >= 4


def test_what_a_search_keeps_is_counted_checked_and_swept(bank, run):
    assert run("search", bank, "where is my parcel", "--columns", "minilm/6/mean").code == 0
    (place,) = (bank / "lengths").iterdir()
    assert "lengths: 1 file, " in run("info", bank).out
    assert run("verify", bank).code == 0
    whole = place.read_bytes()
    place.write_bytes(whole[:-4])
    done = run("verify", bank)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith(f"digest: lengths/{place.name}: these are not the lengths")
    place.rename(place.with_name("another.npy"))
    assert ", 1 stale" in run("info", bank).out
    assert run("forget", bank, "--stale").out.endswith(" left\n")
    assert list((bank / "lengths").iterdir()) == []


def test_a_column_is_exported_for_other_tools(bank, run, tmp_path):
    done = run("export", bank, "--to", "parquet", "-o", tmp_path / "out.parquet", "--columns", "minilm/6/mean")
    assert done.code == 0, done.err
    assert "360 vectors of 384 from minilm/6/mean@float16: " in done.out
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 360
    report = json.loads(run("export", bank, "--to", "npy", "-o", tmp_path / "out.npy", "--json").out)
    assert report["files"] == [str(tmp_path / "out.npy"), str(tmp_path / "out.ids.npy")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "{bank}"], "one of QUERY in words and --file F"),
        (["search", "{bank}", "words", "--file", "{sample}"], "one of QUERY in words and --file F"),
        (["search", "nowhere", "words"], "there is no bank at nowhere"),
        (["search", "{bank}", "words", "-k", "0"], "at least 1 text"),
        (["search", "{bank}", " "], "cannot be encoded, the first is 0: empty"),
        (["search", "{bank}", "words", "--columns", "minilm/5/mean"], "no column 'minilm/5/mean@float16'"),
        (["search", "{bank}", "words", "--columns", "minilm"], "encoder/layer/pooling"),
        (["search", "{bank}", "words", "--where", "topic"], "write it as TASK=LABEL"),
        (["search", "{bank}", "words", "--where", "mood=good"], "no task 'mood'"),
        (["search", "{bank}", "words", "--where", "topic=weather"], "no label 'weather'; it has: "),
        (["search", "{bank}", "words", "--where", "satisfaction=1"], "gives no label"),
        (["search", "{bank}", "--file", "nowhere.csv"], "no file or folder nowhere.csv"),
        (["search", "{bank}", "--file", "{sample}", "--text", "mesage"], "did you mean 'message'"),
        (["search", "{bank}", "--file", "{sample}", "--text", "message", "--id", "topic"], "the same id in 'topic'"),
        (["search", "{bank}", "words", "-o", "out.xlsx"], ".xlsx"),
        (["search", "{bank}", "words", "--approximate", "--where", "topic=billing"], "cannot be narrowed"),
        (["export", "{bank}", "--to", "csv", "-o", "out.csv"], "choose from: parquet, npy, usearch, faiss"),
        (["export", "{bank}", "--to", "npy", "-o", "out.parquet"], "a name that ends in .npy"),
        (["export", "{bank}", "--to", "npy", "-o", "no/where/out.npy"], "cannot be written"),
        (["export", "{bank}", "--to", "npy", "-o", "out.npy", "--columns", "minilm/5/mean"], "no column"),
        (["export", "nowhere", "--to", "npy", "-o", "out.npy"], "there is no bank at nowhere"),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_line(arguments, said, made, sample, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*[argument.format(bank=made, sample=sample) for argument in arguments])
    assert done.code == 1, done.out
    assert said in done.err
    assert done.err.startswith("embank: ")
    assert len(done.err.strip().splitlines()) == 1
    assert not list(tmp_path.glob("out*"))
