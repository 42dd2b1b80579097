"""`embank tasks`: what a bank predicts."""

import json
from dataclasses import asdict

import typer

import embank
from embank.cli import _console as console
from embank.cli import _flags as flags


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
