"""`embank evaluate` on small files: numbers, and one line for every mistake."""

import json

import pytest

COMPUTE = ("--backend", "torch", "--dtype", "float32")


@pytest.fixture
def files(tmp_path):
    (tmp_path / "corpus.csv").write_text("id,text\n1,the heating is cold\n2,where is my parcel\n3,\n")
    (tmp_path / "queries.csv").write_text("id,text\na,my radiator does not get warm\nb,the package has not come\n")
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\na\t1\t1\nb\t2\t2\nb\t1\t0\n")
    (tmp_path / "exclude.csv").write_text("query-id,corpus-id\na,2\n")
    (tmp_path / "bad.csv").write_text("query-id,corpus-id,score\na,1,much\n")
    (tmp_path / "pairs.csv").write_text(
        "one,two,grade\na dog runs,a dog is running,5\na dog runs,the bill is wrong,0\na cat,a kitten,3\nx,,1\n"
    )
    (tmp_path / "twice.csv").write_text("id,text\n1,a\n1,b\n")
    return tmp_path


def test_retrieval_is_measured_on_a_bank_that_is_dropped(run, files):
    done = run(
        "evaluate",
        "retrieval",
        "--corpus",
        files / "corpus.csv",
        "--queries",
        files / "queries.csv",
        "--qrels",
        files / "qrels.tsv",
        "--exclude",
        files / "exclude.csv",
        *COMPUTE,
    )
    assert done.code == 0, done.err
    assert "minilm/6/own@float32: nDCG@10 100.00, recall@100 100.00, 2 queries over 2 texts (1 that" in done.out


@pytest.mark.slow
def test_retrieval_is_measured_at_every_precision_that_is_asked_for(run, files):
    asked = ("corpus.csv", "queries.csv", "qrels.tsv")
    places = [
        word
        for kind, name in zip(("--corpus", "--queries", "--qrels"), asked, strict=True)
        for word in (kind, files / name)
    ]
    codecs = ("float32", "int8", "binary", "binary+int8")
    flags = [word for codec in codecs for word in ("--codec", codec)]
    done = run(
        "evaluate",
        "retrieval",
        *places,
        *flags,
        "--columns",
        "minilm/3/mean",
        "--bank",
        files / "bank",
        "--json",
        *COMPUTE,
    )
    assert done.code == 0, done.err
    found = json.loads(done.out)["searches"]
    assert [row["column"] for row in found] == [f"minilm/3/mean@{codec.partition('+')[0]}" for codec in codecs]
    assert [row["rescored"] for row in found] == ["", "", "", "minilm/3/mean@int8"]
    assert found[3]["ndcg_at_10"] == found[1]["ndcg_at_10"]
    columns = json.loads(run("info", files / "bank", "--json").out)["columns"]
    assert {one["name"]: one["rows"] for one in columns} == dict.fromkeys(
        [f"minilm/3/mean@{codec}" for codec in codecs[:3]], 2
    )
    shown = run(
        "evaluate",
        "retrieval",
        *places,
        "--codec",
        "binary+int8",
        "--bank",
        files / "bank",
        "--columns",
        "minilm/3/mean",
        *COMPUTE,
    )
    assert shown.out.startswith("minilm/3/mean@binary ordered by minilm/3/mean@int8: nDCG@10 ")


def test_sts_is_measured_on_a_bank_that_is_kept(run, files):
    arguments = (
        "evaluate",
        "sts",
        files / "pairs.csv",
        "--text",
        "one",
        "--pair",
        "two",
        "--score",
        "grade",
        "--bank",
        files / "bank",
        "--columns",
        "minilm/3/mean@int8",
        "--json",
        *COMPUTE,
    )
    done = run(*arguments)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["pairs"], found["left_out"], found["column"]) == (3, 1, "minilm/3/mean@int8")
    assert -1 <= found["spearman"] <= 1
    assert json.loads(run("info", files / "bank", "--json").out)["texts"] == 6
    assert json.loads(run(*arguments).out) == found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sts", "pairs.csv", "--text", "one", "--pair", "two", "--score", "grad"], "did you mean 'grade'"),
        (["sts", "nowhere.csv", "--score", "grade"], "no file or folder nowhere.csv"),
        (["sts", "pairs.csv", "--text", "one", "--pair", "two", "--score", "two"], "which is no number"),
        (["sts", "pairs.csv", "--text", "one", "--pair", "two", "--score", "grade", "--columns", "minilm/9/mean"], "layers 0 to 6"),
        (["retrieval", "--corpus", "twice.csv", "--queries", "queries.csv", "--qrels", "qrels.tsv"], "the same id in 'id'"),
        (["retrieval", "--corpus", "corpus.csv", "--queries", "queries.csv", "--qrels", "bad.csv"], "the grade is 'much'"),
        (["retrieval", "--corpus", "corpus.csv", "--queries", "queries.csv", "--qrels", "exclude.csv"], "no column 'score'"),
        (["retrieval", "--corpus", "corpus.csv", "--queries", "corpus.csv", "--qrels", "qrels.tsv"], "something relevant"),
        (["retrieval", "--corpus", "corpus.csv", "--queries", "queries.csv", "--qrels", "qrels.tsv", "--encoder", "no/../where"], "no encoder at"),
        (["retrieval", "--corpus", "corpus.csv", "--queries", "queries.csv", "--qrels", "qrels.tsv", "--codec", "int9"], "found --codec 'int9'; known are float32"),
        (["retrieval", "--corpus", "corpus.csv", "--queries", "queries.csv", "--qrels", "qrels.tsv", "--codec", "binary+"], "two of them as FIRST+SECOND"),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_line(arguments, said, run, files, monkeypatch):
    monkeypatch.chdir(files)
    done = run("evaluate", *arguments)
    assert done.code == 1, done.out
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1
