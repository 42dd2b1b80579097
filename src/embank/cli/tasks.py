"""`embank tasks`: what a bank predicts."""

import typer

import embank
from embank.cli import _console as console
from embank.cli._flags import BankPath, Printed
from embank.reports.wording import MEASURES, listed

EXAMPLES = (
    "embank tasks bank",
    "embank tasks bank --json",
)


def tasks(bank: BankPath, printed: Printed) -> None:
    """List tasks with their validation scores."""
    with embank.Bank.open(bank) as opened:
        found = opened.tasks()
    if printed.as_json:
        console.print_json({"tasks": [console.record(task) for task in found]})
    elif not printed.quiet and not found:
        typer.echo(f"no tasks yet: fit one with 'embank fit {bank} LABELS --task NAME --label COL'")
    elif not printed.quiet:
        rows = [
            [
                task.name,
                task.kind,
                f"{task.score:.3f} {MEASURES[task.measure]}",
                f"{task.baseline:.3f}",
                f"{task.examples:,}",
                task.fitted_at[:16].replace("T", " "),
                listed(task.columns) + (f"  ({task.stale}: fit again)" if task.stale else ""),
            ]
            for task in found
        ]
        titles = ["task", "kind", "validation", "baseline", "texts", "fitted (UTC)", "columns"]
        console.print_table(titles, rows, (2, 3, 4))
