"""The application: its commands, in the order in which a newcomer meets them."""

from importlib.metadata import version
from typing import Annotated

import typer

from embank.cli import (
    baselines,
    deduplicating,
    encoders,
    encoding,
    evaluating,
    exporting,
    fitting,
    forgetting,
    looking,
    planning,
    predicting,
    searching,
    trunks,
)

app = typer.Typer(
    name="embank",
    help="Encode a text once, bank the representation on disk, run every task on what is banked.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:  # noqa: FBT001 - a callback of the parser
    if asked:
        typer.echo(f"embank {version('embank')}")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Encode a text once, bank the representation on disk, run every task on what is banked."""


app.command("encode")(encoding.encode)
app.command("fit")(fitting.fit)
app.command("predict")(predicting.predict)
app.command("search")(searching.search)
app.command("dedup")(deduplicating.dedup)
app.command("export")(exporting.export)
app.command("plan")(planning.plan)
app.command("tasks")(looking.tasks)
app.command("info")(looking.info)
app.command("verify")(looking.verify)
app.command("forget")(forgetting.forget)
app.command("encoders")(encoders.encoders)
app.add_typer(baselines.app, name="baseline")
app.add_typer(trunks.app, name="trunk")
app.add_typer(evaluating.app, name="evaluate")
