"""The application: its commands, in the order in which a newcomer meets them."""

from collections.abc import Callable, Sequence
from typing import Annotated, Final

import typer

import embank
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
    sample,
    search,
    tasks,
    verify,
)
from embank.cli._bundles import command

BEGIN: Final = "Begin"
LOOK: Final = "Look at a bank"
USE: Final = "Use what is stored"
MEASURE: Final = "Measure and choose"
TRAIN: Final = "Train encoders"

_COMMANDS: Final[Sequence[tuple[str, Callable[..., None], Sequence[str]]]] = (
    (BEGIN, sample.sample, sample.EXAMPLES),
    (BEGIN, encode.encode, encode.EXAMPLES),
    (BEGIN, fit.fit, fit.EXAMPLES),
    (BEGIN, predict.predict, predict.EXAMPLES),
    (LOOK, info.info, info.EXAMPLES),
    (LOOK, tasks.tasks, tasks.EXAMPLES),
    (LOOK, verify.verify, verify.EXAMPLES),
    (LOOK, encoders.encoders, encoders.EXAMPLES),
    (USE, search.search, search.EXAMPLES),
    (USE, dedup.dedup, dedup.EXAMPLES),
    (USE, export.export, export.EXAMPLES),
    (USE, forget.forget, forget.EXAMPLES),
    (MEASURE, plan.plan, plan.EXAMPLES),
)
_GROUPS: Final = (
    (MEASURE, "evaluate", evaluate.app),
    (MEASURE, "baseline", baseline.app),
    (TRAIN, "multitask", multitask.app),
    (TRAIN, "prefix", prefix.app),
    (TRAIN, "distill", distill.app),
)

app = typer.Typer(
    name="embank",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"embank {embank.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, metavar="", help="Print the version and exit."),
    ] = False,
) -> None:
    """Encode a text once, store the representation on disk, run every task on what is stored."""


for _panel, _function, _examples in _COMMANDS:
    command(app, _examples, panel=_panel)(_function)
for _panel, _name, _group in _GROUPS:
    app.add_typer(_group, name=_name, rich_help_panel=_panel)
