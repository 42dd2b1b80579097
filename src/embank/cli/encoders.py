"""`embank encoders`: the encoders and backends that can be used on this machine."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import embank
from embank.cli import _console as console
from embank.cli._flags import Printed, argument

EXAMPLES = (
    "embank encoders",
    "embank encoders models/house --json",
)


def encoders(
    printed: Printed,
    folders: Annotated[list[Path] | None, argument("FOLDER...", "Encoder folders to look at as well.")] = None,
) -> None:
    """List the encoders that can be used here."""
    found = embank.available_encoders(folders or [])
    if printed.as_json:
        console.print_json({"encoders": [asdict(one) for one in found], "backends": embank.backends()})
    elif not printed.quiet:
        rows = [
            [one.name, one.family, str(one.width), str(one.layers), str(one.max_tokens), one.pooling, one.origin]
            for one in found
        ]
        titles = ["encoder", "family", "width", "layers", "tokens", "own pooling", "from"]
        console.print_table(titles, rows, (2, 3, 4))
        for name, state in embank.backends().items():
            typer.echo(f"backend {name}: {state}")
