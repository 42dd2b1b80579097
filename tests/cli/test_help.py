"""Help: every flag in a panel with its default, two examples per command that can be parsed, summaries of one line."""

import re
import shlex
import subprocess
import sys

import pytest
import typer

from embank.cli._app import app
from embank.cli._flags import PANELS

SUMMARY = 62
"""Characters of a summary that fit on a line of the root page, at 80 columns."""


def leaves(group, words=""):
    for name, one in group.commands.items():
        if getattr(one, "commands", None):
            yield from leaves(one, f"{words}{name} ")
        else:
            yield f"{words}{name}", one


COMMANDS = dict(leaves(typer.main.get_command(app)))


def options(command):
    return [one for one in command.params if one.param_type_name == "option" and one.name != "help"]


def examples(command):
    return [line.strip() for line in command.epilog.replace("\\[", "[").splitlines()[1:]]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_two_examples_that_can_be_parsed(name):
    shown = examples(COMMANDS[name])
    assert len(shown) == 2
    for line in shown:
        words = shlex.split(line.partition(" > ")[0])
        assert words[: len(name.split()) + 1] == ["embank", *name.split()]
        assert len(line) < 100
        COMMANDS[name].make_context(name, words[len(name.split()) + 1 :])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_of_a_command_stands_in_a_panel(name):
    assert {one.rich_help_panel for one in options(COMMANDS[name])} <= set(PANELS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_of_a_command_fits_on_a_line(name):
    assert len(COMMANDS[name].help.split("\n\n")[0]) <= SUMMARY


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_print_json_or_nothing(name):
    spelt = {option for one in options(COMMANDS[name]) for option in one.opts}
    assert {"--json", "--quiet", "-q"} <= spelt


def test_a_flag_goes_by_one_name_in_every_command():
    for command in COMMANDS.values():
        spelt = {option for one in options(command) for option in one.opts}
        assert not spelt & {"--column", "--output-file", "--task-name"}
        texts = [one for one in options(command) if "--text" in one.opts]
        assert all(one.default == "text" or "[default: text" in one.help for one in texts)


def test_the_defaults_of_flags_are_shown_in_the_terminal(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = run("encode", "--help").out
    for words in ("[default: float16]", "[default: cut]", "[default: ~/.cache/embank]", "[default: text]"):
        assert words in shown
    assert not re.search(r"--keep-text +<bool>", shown)  # a switch takes no value
    assert "org/model@revision" in shown
    assert "Which rows" in shown
    assert "Examples:" in shown


def test_the_first_page_groups_the_commands(run):
    shown = run("--help").out
    titles = ["Begin", "Look at a bank", "Use what is stored", "Measure and choose", "Train encoders"]
    assert [shown.index(title) for title in titles] == sorted(shown.index(title) for title in titles)


def test_help_is_shown_without_loading_what_computes():
    code = (
        "import sys; from embank.cli import main\n"
        "sys.argv = ['embank', '--help']\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'pyarrow', 'numpy', 'transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
