"""Tails on the command line: fitted, chosen by trials, refitted, listed and served; and mistakes answered in one line."""

import csv
import json
import shutil
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from embank.cli._app import app
from material.tails import COLUMN, LINEAR, moods, questions, save_tiny, sizes, tags, texts_of, topics

TEXTS = texts_of(60)
COMPUTE = ("--backend", "torch", "--dtype", "float32")
QUICK = ("--epochs", "1", "--batch", "16", *COMPUTE)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Texts with a column of labels for every kind."""
    path = tmp_path_factory.mktemp("table") / "rows.csv"
    pairs, answers = questions(TEXTS)
    columns = {
        "ref": [f"t{number}" for number in range(len(TEXTS))],
        "text": TEXTS,
        "mood": moods(TEXTS),
        "topics": ["|".join(names) for names in topics(TEXTS)],
        "size": sizes(TEXTS),
        "tokens": [json.dumps(text.split()) for text in TEXTS],
        "tags": [json.dumps(row) for row in tags(TEXTS)],
        "short": ['["O"]', '["B-city"]'] * (len(TEXTS) // 2),
        "question": [question for question, _ in pairs],
        "answer": answers,
        "same": ["alike"] * len(TEXTS),
    }
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def called(*arguments):
    app([str(one) for one in arguments], standalone_mode=False)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, folder, table):
    """A bank with a tail and a linear head, made on the command line."""
    bank = tmp_path_factory.mktemp("fitted") / "bank"
    columns = ("--columns", f"{COLUMN},{LINEAR}", "--encoder", folder, "--keep-text")
    called("encode", bank, table, "--id", "ref", *columns, "--quiet", *COMPUTE)
    for name, more in (("mood", ("--tail", "full", *QUICK)), ("plain", ())):
        called("fit", bank, table, "--task", name, "--label", "mood", "--id", "ref", "--quiet", *more)
    return bank


@pytest.fixture
def bank(fitted, tmp_path):
    copy = tmp_path / "bank"
    shutil.copytree(fitted, copy)
    return copy


def names_of(run, bank):
    return {task["name"]: task for task in json.loads(run("tasks", bank, "--json").out)["tasks"]}


def whole(run, bank):
    done = run("verify", bank)
    return done.code == 0 and "is whole" in done.out


def test_a_tail_is_fitted_listed_and_served_beside_a_head(bank, run, table, tmp_path):
    done = run("fit", bank, table, "--task", "new", "--label", "mood", "--text", "text", "--tail", "full", *QUICK)
    assert done.code == 0, done.err
    assert "task new: single, 2 labels; 48 training and 12 validation texts" in done.out
    assert f"reads {COLUMN}" in done.out
    assert "head: tail (full); cut: 2 of 4 layers" in done.out
    found = names_of(run, bank)
    assert set(found) == {"mood", "new", "plain"}
    assert found["new"]["columns"] == [COLUMN]
    assert found["new"]["chosen"]["passes"] == "1 of 1"
    out = tmp_path / "out.parquet"
    done = run("predict", bank, "-o", out, "--proba", *COMPUTE)
    assert done.code == 0, done.err
    assert "60 rows, tasks mood, new, plain" in done.out
    rows = pq.read_table(out).to_pydict()
    assert rows["id"] == [f"t{number}" for number in range(60)]
    assert rows["new"] == rows["mood"]  # the same settings and the same seed
    assert set(rows["mood"]) <= {"good", "bad"}
    assert {"mood_proba_bad", "mood_proba_good", "plain_proba_bad"} < set(rows)
    assert whole(run, bank)


def test_a_report_in_json_says_how_a_tail_was_trained(bank, run, table):
    asked = ("--tail", "adapters", "--adapter-width", "8", "--cut", "3", "--rate", "0.01", "--json")
    done = run("fit", bank, table, "--task", "size", "--label", "size", "--text", "text", *asked, *QUICK)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["kind"], report["columns"]) == ("regression", ["tiny/3/states@float16"])
    assert report["chosen"]["head"] == "tail (adapters)"
    assert report["chosen"]["learning_rate"] == 0.01
    assert (report["chosen"]["steps"], report["examples"], report["held_back"]) == (3, 60, 12)


def test_trials_choose_the_cut(bank, run, table):
    asked = ("--tail", "auto", "--json", *QUICK)
    done = run("fit", bank, table, "--task", "mood", "--label", "mood", "--text", "text", *asked)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert {one["trial"] for one in report["tried"] if one["trial"].startswith("one-layer")} == {
        f"one-layer tail at layer {layer}" for layer in (1, 2, 3)
    }
    assert report["columns"][0] in {f"tiny/{layer}/states@float16" for layer in (1, 2, 3)}
    assert whole(run, bank)


def test_a_tagger_reads_lists_of_words_and_predicts_a_tag_for_each(bank, run, table, tmp_path):
    asked = ("--words", "tokens", "--label", "tags", "--kind", "tagging", "--tail", "full", *QUICK)
    done = run("fit", bank, table, "--task", "words", *asked)
    assert done.code == 0, done.err
    assert "task words: tagging, 2 labels" in done.out
    assert "entity F1" in done.out
    out = tmp_path / "out.jsonl"
    done = run("predict", bank, table, "--words", "tokens", "--id", "ref", "--task", "words", "-o", out, *COMPUTE)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [len(row["words"]) for row in rows] == [len(text.split()) for text in TEXTS]
    assert whole(run, bank)


def test_a_span_reads_question_and_context_as_a_pair(bank, run, table, tmp_path):
    asked = ("--text", "question", "--pair", "text", "--label", "answer", "--kind", "span", "--tail", "full")
    done = run("fit", bank, table, "--task", "where", *asked, *QUICK)
    assert done.code == 0, done.err
    assert "task where: span; 48 training" in done.out
    assert "F1 of words" in done.out
    out = tmp_path / "out.csv"
    given = ("--text", "question", "--pair", "text", "--task", "where", "-o", out)
    assert run("predict", bank, table, *given, *COMPUTE).code == 0
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    assert all(row["where"] in text for row, text in zip(rows, TEXTS, strict=True))


def test_a_refit_needs_no_labels_and_gives_the_same_tail(bank, run):
    before = run("predict", bank, "--task", "mood", *COMPUTE).out
    done = run("fit", bank, "--task", "mood", "--refit", *COMPUTE)
    assert done.code == 0, done.err
    assert "task mood: single, 2 labels; 48 training" in done.out
    assert run("predict", bank, "--task", "mood", *COMPUTE).out == before
    assert whole(run, bank)


def test_forgetting_states_says_of_no_tail_that_it_must_be_fitted_again(bank, run):
    before = [json.loads(line) for line in run("predict", bank, "--task", "mood", *COMPUTE).out.splitlines()]
    done = run("forget", bank, "--columns", COLUMN, "--columns", LINEAR)
    assert done.code == 0, done.err
    assert "task plain reads it and must be fitted again" in done.out
    assert "task mood" not in done.out
    assert "fit again" not in next(line for line in run("tasks", bank).out.splitlines() if line.startswith("mood"))
    after = [json.loads(line) for line in run("predict", bank, "--task", "mood", *COMPUTE).out.splitlines()]
    assert [row["mood"] for row in after] == [row["mood"] for row in before]
    assert run("forget", bank, "--task", "mood").code == 0
    assert whole(run, bank)


def test_looking_at_a_bank_with_tails_and_predicting_its_heads_import_no_torch(bank, tmp_path):
    lines = [
        ["tasks", str(bank)],
        ["tasks", str(bank), "--json"],
        ["info", str(bank)],
        ["verify", str(bank)],
        ["predict", str(bank), "--task", "plain", "-o", str(tmp_path / "o.csv")],
        ["fit", "--help"],
    ]
    program = (
        "import sys; from embank.cli import main\n"
        f"for arguments in {lines!r}:\n"
        "    sys.argv = ['embank', *arguments]\n"
        "    try: main()\n"
        "    except SystemExit as stop: assert not stop.code, (arguments, stop.code)\n"
        "    assert not {'torch', 'transformers', 'peft'} & set(sys.modules), arguments\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 61


FIT = ["fit", "{bank}", "{table}", "--task", "t"]
TEXT = ["--text", "text"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*FIT, *TEXT, "--label", "tags", "--kind", "tagging"], "--kind tagging reads states: give --tail full, adapters or lora"),
        ([*FIT, *TEXT, "--label", "answer", "--kind", "span"], "--kind span reads states: give --tail"),
        ([*FIT, *TEXT, "--label", "mood", "--tail", "half"], "unknown --tail 'half': use full, adapters, lora, auto"),
        ([*FIT, *TEXT, "--label", "mood", "--cut", "2"], "--cut belongs to a tail"),
        ([*FIT, *TEXT, "--label", "mood", "--epochs", "2"], "--epochs belongs to a tail"),
        ([*FIT, *TEXT, "--label", "mood", "--tail", "full", "--cut", "9"], "asks for layer 9; tiny has layers 0 to 4"),
        ([*FIT, *TEXT, "--label", "mood", "--tail", "full", "--cut", "-1"], "there is no layer -1"),
        ([*FIT, *TEXT, "--label", "mood", "--tail", "auto", "--cut", "2"], "leave out --cut and --columns"),
        ([*FIT, *TEXT, "--label", "mood", "--tail", "full", "--columns", LINEAR], f"reads one column of states, such as minilm/3/states@float16, not {LINEAR}"),
        ([*FIT, *TEXT, "--label", "mood", "--tail", "full", "--columns", "nobody/1/states"], "no encoder at 'nobody'"),
        ([*FIT, *TEXT, "--label", "mood", "--tail", "full", "--pair-apart", "question"], "a tail reads two texts together, as one"),
        ([*FIT, *TEXT, "--label", "mood", "--tail", "full", "--epochs", "0"], "found epochs 0, expected at least 1"),
        ([*FIT, *TEXT, "--label", "mood", "--tail", "full", "--rate", "7"], "found a learning rate of 7.0"),
        ([*FIT, *TEXT, "--label", "mood", "--tail", "full", "--patience", "0"], "found patience 0, expected at least 1"),
        ([*FIT, *TEXT, "--label", "mood", "--tail", "adapters", "--adapter-width", "0"], "found width 0 for a tail"),
        ([*FIT, *TEXT, "--label", "same", "--tail", "full"], "same label, 'alike': there is nothing to learn"),
        ([*FIT, *TEXT, "--label", "mood", "--kind", "regression", "--tail", "full"], "'good' is no number"),
        ([*FIT, *TEXT, "--label", "mood", "--kind", "tagging", "--tail", "full"], "expected a list of tags, one per word"),
        ([*FIT, *TEXT, "--label", "short", "--kind", "tagging", "--tail", "full"], "whose tags are not one per word"),
        ([*FIT, *TEXT, "--words", "tokens", "--label", "tags", "--kind", "tagging", "--tail", "full"], "give --text or --words, not both"),
        ([*FIT, "--id", "ref", "--label", "answer", "--kind", "span", "--tail", "full"], "needs its texts, question and context"),
        ([*FIT, *TEXT, "--label", "tags", "--kind", "tagging", "--tail", "full", "--columns", "tiny/1/states+first8"], "keeps no state for every token"),
        (["fit", "{bank}", "--task", "nobody", "--refit"], "no task 'nobody'; it has: mood, plain"),
    ],
)  # fmt: skip
def test_a_users_mistake_gets_one_line_and_a_failing_exit(arguments, said, fitted, table, run):
    tasks = set(names_of(run, fitted))
    done = run(*(argument.format(bank=fitted, table=table) for argument in arguments), *COMPUTE)
    assert done.code != 0, done.out
    assert done.out == ""
    assert said in done.err
    assert done.err.startswith("embank: ")
    assert len(done.err.strip().splitlines()) == 1
    assert "Traceback" not in done.err
    assert set(names_of(run, fitted)) == tasks


def test_a_tail_whose_encoder_has_gone_is_named_in_one_line(bank, run, tmp_path):
    missing = tmp_path / "nowhere"
    done = run("predict", bank, "--task", "mood", "--encoder-path", f"tiny={missing}", *COMPUTE)
    assert done.code == 1
    assert done.err.startswith("embank: ")
    assert str(missing) in done.err
    assert len(done.err.strip().splitlines()) == 1
