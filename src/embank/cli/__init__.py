"""The command line: parse, call the public names, print. Every error is one line and a non-zero exit.

Modules here import typer and `embank`, whose face loads itself at first use, so that `--help` costs next to nothing.
"""

import os
import signal
import sys
from typing import Any, cast

import typer

from embank.cli._app import app
from embank.cli._removed import answer_to_command, answer_to_flag
from embank.errors import EmbankError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

MISUSED = 2
"""Exit status where the line itself cannot be parsed."""

_ParserError = cast("type[Exception]", typer.BadParameter.__mro__[2])
"""Whatever the parser finds wrong; typer brings a parser of its own, and shows only this of it."""


def main() -> None:
    """Run the command line."""
    removed = answer_to_command(sys.argv[1:])
    if removed is not None:
        _fail(removed, MISUSED)
    try:
        sys.exit(app(prog_name="embank", standalone_mode=False))
    except _ParserError as error:
        _misused(error)
    except EmbankError as error:
        _fail(str(error))
    except BrokenPipeError:  # the reader of our output has gone: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except KeyboardInterrupt:
        print("embank: stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except OSError as error:
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")


def _misused(error: Any) -> None:
    """Say in one line what is wrong with the words of a command; a group of commands without any gets its help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        sys.exit(error.exit_code)
    command = getattr(error.ctx, "command_path", "embank")
    removed = answer_to_flag(command.removeprefix("embank "), getattr(error, "option_name", ""))
    if removed is not None:
        _fail(removed, MISUSED)
    message = error.format_message().rstrip(".")
    _fail(f"{message[:1].lower()}{message[1:]}; see {command} --help", error.exit_code)


def _fail(message: str, status: int = 1) -> None:
    print(f"embank: {' '.join(message.splitlines())}", file=sys.stderr)
    sys.exit(status)
