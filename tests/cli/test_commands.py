"""Every command on the sample: what it prints, what it writes, and what it says to bad input."""

import csv
import io
import json
import os
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from embank.cli._app import app
from embank.cli.fit import print_report
from embank.fit.report import FitReport

COMPUTE = ("--backend", "torch", "--dtype", "float32")
COMMANDS = [
    "sample",
    "encode",
    "fit",
    "predict",
    "info",
    "tasks",
    "verify",
    "encoders",
    "search",
    "dedup",
    "export",
    "forget",
    "plan",
    "evaluate",
    "baseline",
    "multitask",
    "prefix",
    "distill",
]


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


def test_encoding_again_finds_nothing_to_do_and_loads_no_encoder(bank, sample):
    code = (
        "import sys; from embank.cli import main\n"
        f"sys.argv = ['embank', 'encode', {str(bank)!r}, {str(sample)!r}, '--text', 'message', '--id', 'id']\n"
        "main(); assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "0 new texts, 360 known already" in done.stdout
    assert "nothing to encode" in done.stdout


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
def test_named_columns_of_several_layers_and_precisions_come_from_one_command(bank, run, sample):
    done = run(
        "encode", bank, sample, "--text", "message", "--columns", "minilm/2/mean@int8,minilm/1/first@binary", *COMPUTE
    )
    assert done.code == 0, done.err
    assert "360 known texts completed" in done.out
    names = [column["name"] for column in json.loads(run("info", bank, "--json").out)["columns"]]
    assert names[-2:] == ["minilm/2/mean@int8", "minilm/1/first@binary"]
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


def test_flags_of_a_whole_session_may_stand_in_the_environment(bank, run, sample, tmp_path, monkeypatch):
    monkeypatch.setenv("EMBANK_QUIET", "1")
    monkeypatch.setenv("EMBANK_BACKEND", "jax")
    done = run("encode", bank, sample, "--text", "message")
    assert (done.code, "unknown backend 'jax'" in done.err) == (1, True)
    done = run("encode", bank, sample, "--text", "message", *COMPUTE)
    assert (done.code, done.out) == (0, "")


VARIABLES = ("--backend", "--cache", "--dtype", "--local-files-only", "--quiet")


def _options():
    """Every option of every command, by the command's words."""
    import typer.main

    group = typer.main.get_command(app)
    assert list(group.commands) == COMMANDS
    waiting = [((name,), command) for name, command in group.commands.items()]
    for words, command in waiting:
        waiting += [((*words, name), one) for name, one in getattr(command, "commands", {}).items()]
        yield from ((words, one) for one in command.params if one.param_type_name == "option" and one.name != "help")


def test_no_flag_but_those_of_a_whole_session_has_an_environment_variable():
    seen = set()
    for words, parameter in _options():
        long = next(option for option in parameter.opts if option.startswith("--"))
        own = f"EMBANK_{long[2:].replace('-', '_').upper()}" if long in VARIABLES else None
        assert parameter.envvar == own, (words, long)
        seen.add(long)
    assert seen >= set(VARIABLES)


def test_a_flag_with_an_environment_variable_means_the_same_in_every_command():
    meanings = {}
    for _, parameter in _options():
        if parameter.envvar:
            meanings.setdefault(parameter.envvar, set()).add(parameter.help)
    assert [variable for variable, said in meanings.items() if len(said) > 1] == []


def test_nothing_that_drops_or_replaces_is_set_by_the_environment():
    dropping = [one for words, one in _options() if words[-1] in ("forget", "remove", "replace")]
    assert dropping
    assert {one.envvar for one in dropping} <= {None, "EMBANK_QUIET", "EMBANK_CACHE", "EMBANK_LOCAL_FILES_ONLY"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["encode", "{bank}", "{sample}", "--text", "mesage"], "did you mean 'message'"),
        (["encode", "{bank}", "nowhere.csv"], "no file or folder nowhere.csv"),
        (["encode", "{bank}", "{sample}", "--text", "message", "--columns", "minilm/9/mean"], "layers 0 to 6"),
        (["encode", "{bank}", "{sample}", "--text", "message", "--columns", "minilm/mean"], "encoder/layer/pooling"),
        (["encode", "{bank}", "{sample}", "--text", "message", "--codec", "int2"], "int2"),
        (["encode", "{bank}", "{sample}", "--text", "message", "--encoder", "no/../where"], "no encoder at"),
        (["encode", "{bank}", "{sample}", "--text", "message", "--encoder", "minilm", "--long", "windows"], "reads differently"),
        (["encode", "{bank}", "{sample}", "--text", "message", "--backend", "jax"], "unknown backend 'jax'"),
        (["encode", "{bank}", "{sample}", "--text", "message", "--format", "xml"], "xml"),
        (["encode", "{bank}"], "give files to encode"),
        (["encode", "{folder}", "{sample}", "--text", "message"], "in use by something else"),
        (["fit", "{bank}", "{sample}", "--task", "t", "--label", "topc", "--id", "id"], "did you mean 'topic'"),
        (["fit", "{bank}", "{sample}", "--task", "t", "--label", "topic"], "has no column 'text'"),
        (["fit", "{bank}", "{sample}", "--task", "t", "--label", "topic", "--id", "message"], "360 text not in the bank"),
        (["fit", "{bank}", "{sample}", "--task", "t", "--label", "topic", "--id", "id", "--kind", "many"], "unknown kind of task"),
        (["fit", "{bank}", "{sample}", "--task", "t", "--label", "topic", "--id", "id", "--kind", "regression"], "is no number"),
        (["fit", "{bank}", "{sample}", "--task", "t", "--label", "topic", "--id", "id", "--columns", "minilm/1/mean"], "no column"),
        (["fit", "{bank}", "{sample}", "--task", "a/b", "--label", "topic", "--id", "id"], "no name for a task"),
        (["fit", "{bank}", "--task", "t"], "give a file of labels"),
        (["fit", "{bank}", "--task", "t", "--refit"], "no task 't'"),
        (["predict", "{bank}", "-o", "out.xlsx"], ".xlsx"),
        (["predict", "{bank}", "-o", "no/where/out.csv"], "no/where"),
        (["predict", "{bank}", "-o", "{folder}/o.csv", "--task", "mood"], "no task 'mood'; it has: satisfaction"),
        (["tasks", "{folder}"], "is not a bank"),
        (["info", "nowhere"], "there is no bank at nowhere"),
        (["verify", "{folder}"], "is not a bank"),
        (["forget", "{bank}"], "say what to forget"),
        (["forget", "{bank}", "--task", "mood"], "no task 'mood'"),
        (["forget", "{bank}", "--columns", "minilm/5/mean"], "no column 'minilm/5/mean@float16'"),
        (["forget", "{bank}", "--ids", "nowhere.txt"], "no file or folder nowhere.txt"),
        (["encoders", "nowhere"], "nowhere"),
    ],
)  # fmt: skip
def test_a_users_mistake_gets_one_line_and_a_failing_exit(arguments, said, made, sample, run, tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "something").write_text("else")
    monkeypatch.chdir(tmp_path)
    filled = [argument.format(bank=made, sample=sample, folder=folder) for argument in arguments]
    done = run(*filled)
    assert done.code == 1, done.out
    assert said in done.err
    assert done.err.startswith("embank: ")
    assert len(done.err.strip().splitlines()) == 1
    assert "Traceback" not in done.err


def test_bad_rows_are_listed_and_stop_nothing(run, tmp_path):
    given = tmp_path / "rows.csv"
    given.write_bytes(b'id,text\n1,fine\n2,\n3,bad \xff bytes\n4,"two\nlines"\n5\n6,' + b"long " * 2_100_000 + b"\n")
    done = run("encode", tmp_path / "bank", given, "--id", "id", "--columns", "minilm/2/mean", *COMPUTE)
    assert done.code == 0, done.err
    assert "3 of 6 rows could not be encoded" in done.err
    assert "row 1: empty" in done.err
    assert "row 2: " in done.err
    assert "UTF-8" in done.err
    assert "6 rows: 3 new texts" in done.out
    assert "1 text cut to the longest input of the encoder" in done.out
    faults = json.loads(run("info", tmp_path / "bank", "--json").out)["faults"]
    assert [fault["position"] for fault in faults] == [1, 2, 4]
    given.write_text("id,text\n1,fine\n2,mended\n3,mended too\n")
    again = run("encode", tmp_path / "bank", given, "--id", "id", *COMPUTE)
    assert "3 rows: 2 new texts, 1 known already" in again.out
    assert json.loads(run("info", tmp_path / "bank", "--json").out)["faults"] == []


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


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_encoded_and_says_how_to_go_on(tmp_path):
    given = tmp_path / "many.txt"
    given.write_text(
        "\n".join(f"message {number} about the heating and the meter in the hall" for number in range(3000))
    )
    command = [
        sys.executable,
        "-c",
        "from embank.cli import main; main()",
        "encode",
        str(tmp_path / "bank"),
        str(given),
        *COMPUTE,
    ]
    # The signal is sent by the process itself after its third batch: no clock is involved.
    command[2] = (
        "import os, signal\n"
        "from embank.encoders.torch import TransformerEncoder as T\n"
        "real, calls = T.vectors, []\n"
        "def counted(self, batch, readouts):\n"
        "    calls.append(1)\n"
        "    if len(calls) == 3: os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(self, batch, readouts)\n"
        "T.vectors = counted\n"
        "from embank.cli import main; main()"
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 130, done.stderr
    assert "what is encoded will be kept" in done.stderr
    assert "run the same command again to go on" in done.stderr
    import embank

    with embank.Bank.open(tmp_path / "bank") as bank:
        assert 0 < len(bank) < 3000
        assert bank.verify() == []


@pytest.mark.parametrize(
    ("score", "chosen", "said"),
    [
        (
            0.25,
            {"head": "linear"},
            "no better than the baseline on validation texts: try more texts, other columns, or a tail",
        ),
        (
            0.25,
            {"cut": "3 of 6 layers"},
            "no better than the baseline on validation texts: try more texts, a lower --cut",
        ),
        (0.26, {"head": "linear"}, ""),
    ],
)
def test_a_fit_that_learned_nothing_says_what_to_try(score, chosen, said, capsys):
    report = FitReport(
        task="mood",
        kind="single",
        labels=("a", "b"),
        examples=10,
        held_back=2,
        skipped={},
        columns=(),
        chosen=chosen,
        train={"macro_f1": 1.0},
        validation={"macro_f1": score},
        baseline={"macro_f1": 0.25},
        measure="macro_f1",
    )
    print_report(report)
    shown = capsys.readouterr().out
    assert said in shown
    assert bool(said) == ("no better than" in shown)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dedup", "bank"), "missing option '--output' / '-o'"),
        (("encode",), "missing argument 'BANK'"),
        (("encode", "bank", "--nope"), "no such option: --nope"),
        (("nope",), "no such command 'nope'"),
        (("prefix", "add"), "see embank prefix add --help"),
        (("fit", "bank", "--task", "mood", "--cut", "high"), "invalid value for '--cut'"),
    ],
)
def test_words_that_are_no_command_get_one_line_and_the_status_2(words, said, run):
    found = run(*words)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert found.err.startswith("embank: ")
    assert found.err.count("\n") == 1


@pytest.mark.parametrize("words", [(), ("multitask",), ("prefix",), ("distill",), ("baseline",), ("evaluate",)])
def test_a_group_of_commands_alone_shows_its_help(words, run):
    found = run(*words)
    assert found.code == 2
    assert "Usage: " in found.out + found.err
