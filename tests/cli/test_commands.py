"""The main commands on the sample: what they print, and what they write."""

import csv
import io
import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

COMPUTE = ("--backend", "torch", "--dtype", "float32")


def test_the_main_job_runs_from_a_table_to_predictions(bank, run, tmp_path):
    out = tmp_path / "out.parquet"
    done = run("predict", bank, "-o", out)
    assert done.code == 0
    assert "360 rows, tasks" in done.out
    table = pq.read_table(out).to_pydict()
    assert list(table) == [
        "id", "satisfaction", "satisfaction_score", "tags", "tags_score", "topic", "topic_score", "urgent", "urgent_score",
    ]  # fmt: skip
    assert table["id"] == [f"S{number:04d}" for number in range(1, 361)]
    assert all(0 <= score <= 1 for score in table["topic_score"])
    assert all(isinstance(value, float) for value in table["satisfaction"])
    assert set(table["urgent"]) == {"yes", "no"}


def test_every_task_of_the_sample_beats_guessing(bank, run):
    found = json.loads(run("tasks", bank, "--json").out)["tasks"]
    assert {task["name"]: task["kind"] for task in found} == {
        "urgent": "single", "topic": "single", "tags": "multi", "satisfaction": "regression",
    }  # fmt: skip
    assert all(task["score"] > task["baseline"] + 0.3 for task in found), found


def test_predicting_and_looking_import_no_torch(bank, tmp_path):
    for arguments in (
        ["predict", str(bank), "-o", str(tmp_path / "o.csv")],
        ["tasks", str(bank)],
        ["info", str(bank)],
        ["verify", str(bank)],
        ["--help"],
    ):
        code = (
            "import sys; from embank.cli import main\n"
            f"sys.argv = ['embank', *{arguments!r}]\n"
            "try: main()\n"
            "except SystemExit as stop: assert not stop.code, stop.code\n"
            "assert 'torch' not in sys.modules, 'torch was imported'"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (arguments, done.stderr)


def test_new_texts_are_encoded_on_the_way_and_banked(bank, run, tmp_path):
    given = tmp_path / "new.csv"
    given.write_text('ref,text\n7,"the display is dead and I smell smoke"\n8,\n9,thank you for the lovely app\n')
    done = run("predict", bank, given, "--id", "ref", "--task", "urgent", "-o", tmp_path / "out.csv", *COMPUTE)
    assert done.code == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert [row["id"] for row in rows] == ["7", "8", "9"]
    assert [row["urgent"] for row in rows] == ["yes", "", "no"]
    assert "row 1: empty" in done.err
    assert "2 texts were new and are stored now" in done.out
    again = run("predict", bank, given, "--id", "ref", "--task", "urgent", "-o", tmp_path / "again.csv", *COMPUTE)
    assert "were new" not in again.out
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "out.csv").read_text()


def test_a_fifth_task_brings_texts_of_its_own(bank, run, tmp_path):
    labels = tmp_path / "labels.csv"
    lines = [f"I {verb} the new {thing},{verb}" for verb in ("love", "hate") for thing in (
        "app", "plug", "box", "screen", "manual", "colour", "price", "cable", "clamp", "sensor", "chart", "sound")]  # fmt: skip
    labels.write_text("text,mood\n" + "\n".join(lines) + "\n")
    done = run("fit", bank, labels, "--task", "mood", "--label", "mood", "--text", "text", *COMPUTE)
    assert done.code == 0, done.err
    assert "task mood: single, 2 labels" in done.out
    assert json.loads(run("info", bank, "--json").out)["texts"] == 384


def test_info_tells_texts_columns_tasks_and_bytes(bank, run):
    found = json.loads(run("info", bank, "--json").out)
    assert found["texts"] == 360
    assert len(found["columns"]) == 4
    assert len(found["tasks"]) == 4
    assert found["bytes"]["total"] == sum(value for part, value in found["bytes"].items() if part != "total")
    assert all(name in run("info", bank).out for name in ("360 texts", "minilm/4/mean@float16", "task topic"))


def test_forgetting_reclaims_space_and_names_orphaned_tasks(bank, run, tmp_path):
    tasks = json.loads(run("tasks", bank, "--json").out)["tasks"]
    column = next(task["columns"][0] for task in tasks if task["name"] == "topic")
    done = run("forget", bank, "--columns", column)
    assert f"forgot column {column}" in done.out
    assert "must be fitted again" in done.out
    assert run("predict", bank, "--task", "topic", "-o", tmp_path / "o.csv").code == 1
    assert not (tmp_path / "o.csv").exists()
    assert run("fit", bank, "--refit", "--task", "topic").code == 0
    assert run("predict", bank, "--task", "topic", "-o", tmp_path / "o.csv").code == 0
    ids = tmp_path / "ids.txt"
    ids.write_text("S0001\nS0002\nwho\n")
    done = run("forget", bank, "--ids", ids)
    assert "forgot 2 texts" in done.out
    assert "1 ids are not in the bank" in done.out
    assert run("verify", bank).code == 0


@pytest.mark.slow
def test_standard_input_and_output_work_in_a_pipe(bank):
    command = [
        sys.executable,
        "-c",
        "from embank.cli import main; main()",
        "predict",
        str(bank),
        "-",
        "--task",
        "topic",
        "-o",
        "-",
        *COMPUTE,
    ]
    done = subprocess.run(
        command, input="I want my money back\nwhere is my parcel\n", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in io.StringIO(done.stdout)]
    assert [row["id"] for row in rows] == [0, 1]
    assert rows[1]["topic"] == "delivery"


def test_verify_lists_all_damage_and_fails(bank, run):
    rows = sorted((bank / "columns").rglob("*.npy"))
    content = bytearray(rows[0].read_bytes())
    content[5000] ^= 1
    rows[0].write_bytes(content)
    rows[1].write_bytes(rows[1].read_bytes()[:-100])
    done = run("verify", bank)
    assert done.code == 1
    assert "digest: " in done.err
    assert "truncated: " in done.err
    assert "2 damaged" in done.err
    found = json.loads(run("verify", bank, "--json").out)
    assert not found["whole"]
    assert len(found["damage"]) == 2


def test_encoders_are_listed_with_shape_and_origin(run):
    done = run("encoders")
    assert done.code == 0
    assert "minilm" in done.out
    assert "384" in done.out
    assert "backend torch" in done.out
