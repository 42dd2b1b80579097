"""Encoding from the command line: again, into more columns, with bad rows, stopped half way, with its seconds."""

import json
import os
import re
import subprocess
import sys

import pytest

COMPUTE = ("--backend", "torch", "--dtype", "float32")


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


@pytest.mark.parametrize("terminal", [True, False])
def test_the_phases_and_their_seconds_are_said_on_a_terminal_and_off_it(terminal, run, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    given = tmp_path / "texts.txt"
    given.write_text("the heating is cold\nthe meter is wrong\n")
    computed = ("--backend", "torch", "--cache", tmp_path / "cache")
    done = run("encode", tmp_path / "bank", given, "--columns", "minilm/1/mean", *computed)
    assert done.code == 0, done.err
    said = r"[\d.]+ s: loading the encoder [\d.]+ s, (trying backends [\d.]+ s, )?encoding [\d.]+ s \([\d,]+ texts/s\)"
    assert re.search(said, done.err, re.MULTILINE), done.err
    assert "trying backends" not in done.out
