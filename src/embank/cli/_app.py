"""The application: its commands, in the order in which a newcomer meets them."""

from importlib.metadata import version
from typing import Annotated

import typer

from embank.cli import (
    baseline,
    dedup,
    distill,
    encode,
    encoders,
    evaluate,
    export,
    fit,
    forget,
    info,
    multitask,
    plan,
    predict,
    prefix,
    search,
    tasks,
    verify,
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


app.command("encode")(encode.encode)
app.command("fit")(fit.fit)
app.command("predict")(predict.predict)
app.command("search")(search.search)
app.command("dedup")(dedup.dedup)
app.command("export")(export.export)
app.command("plan")(plan.plan)
app.command("tasks")(tasks.tasks)
app.command("info")(info.info)
app.command("verify")(verify.verify)
app.command("forget")(forget.forget)
app.command("encoders")(encoders.encoders)
app.add_typer(baseline.app, name="baseline")
app.add_typer(multitask.app, name="multitask")
app.add_typer(prefix.app, name="prefix")
app.add_typer(distill.app, name="distill")
app.add_typer(evaluate.app, name="evaluate")
