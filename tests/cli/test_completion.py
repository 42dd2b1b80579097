"""Completion: words that are known, and the tasks and columns of the bank on the line; never an error."""

import os
import subprocess
import sys

import pytest


def offered(line, *, cwd=None):
    """What a shell is offered at the end of a line."""
    words = line.split(" ")
    asked = {"_EMBANK_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    code = (
        "import sys; from embank.cli import main\n"
        "sys.argv = ['embank']\n"
        "try: main()\n"
        "finally: assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **asked}, cwd=cwd
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_tasks_and_columns_of_the_bank_on_the_line_are_offered(made):
    assert offered(f"embank predict {made} --task t") == ["tags", "topic"]
    assert offered(f"embank search {made} --columns minilm/4/") == ["minilm/4/mean@float16"]
    assert offered(f"embank fit {made} --encoder-path ") == ["minilm="]


def test_the_last_of_several_columns_is_completed(made):
    shown = offered(f"embank fit {made} --columns minilm/2/mean@float16,minilm/4/")
    assert shown == ["minilm/2/mean@float16,minilm/4/mean@float16"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("embank multitask e", ["evaluate"]),
        ("embank fit bank --kind r", ["regression"]),
        ("embank encode bank --codec int", ["int8", "int4"]),
        ("embank predict nowhere --task ", []),
        ("embank predict --task ", []),
    ],
)
def test_words_are_offered_and_no_bank_is_no_error(line, words, tmp_path):
    assert offered(line, cwd=tmp_path) == words


def test_a_damaged_bank_is_no_error(bank):
    (bank / "catalogue.sqlite").write_bytes(b"not a catalogue")
    assert offered(f"embank predict {bank} --task ") == []
