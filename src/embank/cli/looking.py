"""`embank tasks`, `info` and `verify`: what a bank holds, and whether it is whole."""

import json
from dataclasses import asdict

import typer

import embank
from embank.cli import console, flags
from embank.wording import counted


def tasks(bank: flags.BankPath, as_json: flags.AsJson = False) -> None:
    """List tasks: the columns that they read, their validation score, when they were fitted."""
    with embank.Bank.open(bank) as opened:
        found = opened.tasks()
    if as_json:
        typer.echo(json.dumps({"tasks": [asdict(task) for task in found]}, ensure_ascii=False))
        return
    if not found:
        typer.echo(f"no tasks yet: fit one with 'embank fit {bank} LABELS --task NAME --label COL'")
        return
    rows = [
        [
            task.name,
            task.kind,
            f"{task.score:.3f} {task.measure}",
            f"{task.baseline:.3f}",
            f"{task.examples:,}",
            task.fitted_at,
            ", ".join(task.columns) + (f"  ({task.stale}: fit again)" if task.stale else ""),
        ]
        for task in found
    ]
    console.print_table(["task", "kind", "validation", "guessing", "texts", "fitted", "columns"], rows, (2, 3, 4))


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


def verify(bank: flags.BankPath, as_json: flags.AsJson = False) -> None:
    """Check every digest and every row; lists all damage, and exits with 1 if there is any."""
    from embank.store.auxiliary import AUXILIARY

    with embank.Bank.open(bank) as opened:
        found = opened.verify()
        texts = len(opened) if not found else 0
        readable = not any(damage.kind == "catalogue" for damage in found)
        columns = {one.fingerprint: one.name for one in opened.summary().columns} if found and readable else {}
    if as_json:
        typer.echo(json.dumps({"whole": not found, "damage": [asdict(damage) for damage in found]}))
    elif found:
        for damage in found:
            column = next((f" (column {name})" for digest, name in columns.items() if digest in damage.where), "")
            typer.echo(f"{damage.kind}: {damage.where}{column}: {damage.what}", err=True)
        lost = [damage for damage in found if damage.where.partition("/")[0] not in AUXILIARY]
        if lost:
            typer.echo(
                f"{len(lost)} damaged: forget the column that is hit (embank forget {bank} --column SPEC), "
                "then encode again",
                err=True,
            )
    else:
        typer.echo(f"{bank} is whole: {texts:,} texts, every digest and every row checked")
    if found:
        raise typer.Exit(1)
