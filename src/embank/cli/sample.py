"""`embank sample`: the messages that ship with Embank, to try everything on."""

import csv
import io
import sys

import embank
from embank.cli import _console as console
from embank.cli._flags import Printed

EXAMPLES = (
    "embank sample > messages.csv",
    "embank sample --json",
)


def sample(printed: Printed) -> None:
    """Write the sample, 360 labelled support messages, as CSV."""
    text = embank.samples.SUPPORT.read_text(encoding="utf-8")
    if printed.as_json:
        console.print_json({"messages": list(csv.DictReader(io.StringIO(text, newline="")))})
    elif not printed.quiet:
        sys.stdout.write(text)
