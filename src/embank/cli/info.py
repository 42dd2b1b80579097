"""`embank info`: what a bank holds."""

import json
from dataclasses import asdict

import typer

import embank
from embank.cli import _console as console
from embank.cli import _flags as flags
from embank.reports.wording import counted


def info(bank: flags.BankPath, as_json: flags.AsJson = False) -> None:
    """Show texts, columns, bytes a text, encoders and tasks."""
    with embank.Bank.open(bank) as opened:
        found = opened.summary()
    if as_json:
        typer.echo(json.dumps(asdict(found), ensure_ascii=False))
        return
    each = found.bytes["total"] / max(found.texts, 1)
    typer.echo(
        f"{found.path}: {found.texts:,} texts, {found.ids:,} ids, {console.size(found.bytes['total'])}, "
        f"{each:,.0f} bytes a text"
    )
    if found.kept_texts:
        typer.echo(f"{found.kept_texts:,} texts are kept themselves")
    rows = [
        [one.name, f"{one.rows:,}", str(one.width), str(one.row_bytes), console.size(one.bytes)]
        for one in found.columns
    ]
    console.print_table(["column", "rows", "width", "bytes a row", "on disk"], rows, (1, 2, 3, 4))
    for one in found.encoders:
        length = one.reading.get("max_tokens", "")
        typer.echo(
            f"encoder {one.name}: {one.family}, {one.layers} layers, {one.width} wide, reads {length} tokens "
            f"({one.reading.get('long', 'cut')}), from {one.origin}; {one.compute}"
        )
    for task in found.tasks:
        typer.echo(f"task {task.name}: {task.kind}, validation {task.score:.3f} {task.measure}")
    for folder in dict.fromkeys(one.file.partition("/")[0] for one in found.auxiliary):
        own = [one for one in found.auxiliary if one.file.startswith(f"{folder}/")]
        counts = [f"{sum(one.state == state for one in own):,} {state}" for state in ("current", "behind", "stale")]
        said = ", ".join(count for count in counts if not count.startswith("0 "))
        typer.echo(f"{folder}: {counted(len(own), 'file')}, {console.size(sum(o.size for o in own))}, {said}")
    if found.faults:
        typer.echo(f"{len(found.faults):,} rows could not be encoded; --json lists them")
