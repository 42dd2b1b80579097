"""The built wheel works in an environment of its own, without the source tree, without torch."""

import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow

SCRIPT = """
import numpy as np
from embank import Bank

draw = np.random.default_rng(0)
vectors = draw.normal(size=(80, 8)).astype(np.float32)
labels = ["up" if row[0] > 0 else "down" for row in vectors]
texts = [f"text {number}" for number in range(80)]
with Bank.open_or_create("bank") as bank:
    bank.put(texts, vectors, "service/0/own@int8")
    bank.fit("way", labels[:60], texts=texts[:60])
    found = bank.predict(texts[60:])["way"].to_pylist()
assert np.mean([said == label for said, label in zip(found, labels[60:])]) > 0.7, found
print("done")
"""
TYPED = """
import numpy as np
from embank import Bank, EncodeReport, FitReport

def encoded(path: str, texts: list[str]) -> EncodeReport:
    with Bank.open_or_create(path) as bank:
        return bank.encode(texts)

def fitted(path: str, texts: list[str], labels: list[str]) -> FitReport:
    with Bank.open(path) as bank:
        return bank.fit("topic", labels, texts=texts)

wrong: int = fitted("bank", [], [])
"""


def plain_environment():
    """The environment variables of this process without those that lead Python to the source tree."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "EMBANK_", "VIRTUAL_"))}


def run(*words, cwd, check=True):
    words = [str(word) for word in words]
    done = subprocess.run(words, cwd=cwd, env=plain_environment(), capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of an environment that has the wheel and what it depends on, and nothing else."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel, cwd=folder)
    return folder


def test_the_wheel_has_every_file_of_the_package_and_no_other(wheel):
    with zipfile.ZipFile(wheel) as file:
        packed = {name for name in file.namelist() if ".dist-info/" not in name}
    source = ROOT / "src"
    written = {path.relative_to(source).as_posix() for path in (source / "embank").rglob("*") if path.is_file()}
    assert packed == {name for name in written if "__pycache__" not in name}
    assert "embank/py.typed" in packed


def test_the_installed_command_says_its_version_and_helps(installed, tmp_path):
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    assert run(installed / "bin" / "embank", "--version", cwd=tmp_path).stdout.strip() == f"embank {version}"
    assert "Usage: embank" in run(installed / "bin" / "embank", "--help", cwd=tmp_path).stdout
    assert "Usage: " in run(installed / "bin" / "python", "-m", "embank", "encode", "--help", cwd=tmp_path).stdout


# What trains in torch itself; every other public name is found without it.
IN_TORCH = {
    "DistilledFrom",
    "DroppedColumn",
    "FineTuneData",
    "FineTuned",
    "LearnedColumn",
    "PrefixChange",
    "PrefixSettings",
    "Prefixes",
    "finetune_baseline",
    "student_baseline",
    "train_multitask",
}


def test_every_public_name_is_found_without_torch_or_says_what_to_install(installed, tmp_path):
    program = """
import sys, embank
missing = []
for name in embank.__all__:
    try:
        getattr(embank, name)
    except embank.errors.ExtraMissingError as error:
        assert "pip install 'embank[torch]'" in str(error), error
        missing.append(name)
assert "torch" not in sys.modules
print(embank.__file__, *missing)
"""
    found, *missing = run(installed / "bin" / "python", "-c", program, cwd=tmp_path).stdout.split()
    assert Path(found).is_relative_to(installed)
    assert set(missing) <= IN_TORCH


def test_given_vectors_are_banked_fitted_and_predicted_without_torch(installed, tmp_path):
    assert run(installed / "bin" / "python", "-c", SCRIPT, cwd=tmp_path).stdout == "done\n"


def test_encoding_without_torch_is_one_line_that_says_what_to_install(installed, tmp_path):
    (tmp_path / "messages.csv").write_text("text\nhello\n", encoding="utf-8")
    done = run(installed / "bin" / "embank", "encode", "bank", "messages.csv", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "pip install 'embank[" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_users_script_is_checked_against_the_types_of_the_installed_package(installed, tmp_path):
    (tmp_path / "script.py").write_text(TYPED, encoding="utf-8")
    python = installed / "bin" / "python"
    done = run(
        sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "script.py", cwd=tmp_path, check=False
    )
    (error,) = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert "script.py:13" in error
    assert "FitReport" in error
