"""What earlier versions had is answered with what to write now, and the status 2."""

from pathlib import Path

import pytest
import typer

from embank.cli._app import app
from embank.cli._removed import COMMANDS, FLAGS


@pytest.mark.parametrize("old", COMMANDS)
def test_a_command_of_an_earlier_version_is_answered_with_the_new_one(old, run):
    done = run(*old.split(), "--anything", "at all")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"embank: '{old}' is now '{COMMANDS[old]}'; see embank {COMMANDS[old]} --help\n"


@pytest.mark.parametrize(("command", "flag"), FLAGS, ids=" ".join)
def test_a_flag_of_an_earlier_version_is_answered_with_what_became_of_it(command, flag, run):
    done = run(*command.split(), flag, "value")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"embank: '{flag}' {FLAGS[command, flag]}; see embank {command} --help\n"


def test_what_is_answered_so_is_no_command_and_no_flag_any_more():
    known = dict(leaves(typer.main.get_command(app), ""))
    assert not COMMANDS.keys() & known.keys()
    for command, flag in FLAGS:
        assert flag not in [spelt for parameter in known[command].params for spelt in parameter.opts], (command, flag)


def test_the_guide_to_upgrading_names_every_old_command_and_flag():
    guide = (Path(__file__).parents[2] / "UPGRADING.md").read_text(encoding="utf-8")
    assert [old for old in COMMANDS if f"embank {old}" not in guide] == []
    assert [flag for _, flag in FLAGS if flag.removeprefix("--no-").removeprefix("--") not in guide] == []


def leaves(group, words):
    for name, one in group.commands.items():
        if getattr(one, "commands", None):
            yield from leaves(one, f"{words}{name} ")
        else:
            yield f"{words}{name}", one
