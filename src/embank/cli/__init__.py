"""The command line: parse, call the public face, print. One line and a non-zero exit for everything that goes wrong.

Modules here import typer and `embank`, whose face loads itself at first use, so that `--help` costs next to nothing.
"""

import os
import signal
import sys

from embank.cli.app import app
from embank.errors import EmbankError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def main() -> None:
    """Run the command line."""
    try:
        app()
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


def _fail(message: str) -> None:
    print(f"embank: {message}", file=sys.stderr)
    sys.exit(1)
