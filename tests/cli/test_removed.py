"""What earlier versions had is answered with what to write now, and the status 2."""

import pytest

from embank.cli._removed import COMMANDS


@pytest.mark.parametrize("old", COMMANDS)
def test_a_command_of_an_earlier_version_is_answered_with_the_new_one(old, run):
    done = run(*old.split(), "--anything", "at all")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"embank: '{old}' is now '{COMMANDS[old]}'; see embank {COMMANDS[old]} --help\n"
