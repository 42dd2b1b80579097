"""`embank encoders`: what can be used here."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import embank
from embank.cli import _console as console
from embank.cli import _flags as flags


def encoders(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="FOLDER...", help="Encoder folders to look at as well.")
    ] = None,
    as_json: flags.AsJson = False,
) -> None:
    """List the encoders that can be used here, with width, layers, and where they come from."""
    found = embank.available_encoders(folders or [])
    if as_json:
        typer.echo(json.dumps({"encoders": [asdict(one) for one in found], "backends": embank.backends()}))
        return
    rows = [
        [one.name, one.family, str(one.width), str(one.layers), str(one.max_tokens), one.pooling, one.origin]
        for one in found
    ]
    console.print_table(["encoder", "family", "width", "layers", "tokens", "own pooling", "from"], rows, (2, 3, 4))
    for name, state in embank.backends().items():
        typer.echo(f"backend {name}: {state}")
