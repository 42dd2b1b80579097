"""Bundles of flags: a dataclass stands for its fields, in the order of the panels."""

from dataclasses import dataclass
from inspect import signature
from typing import Annotated

import pytest
import typer

from embank.cli._bundles import command, unbundled
from embank.cli._flags import COMPUTE, OUTPUT, ROWS, argument, flag, listed, one_column
from embank.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Printed:
    loud: Annotated[bool, flag(OUTPUT, "--loud", help="Print.")] = False
    width: Annotated[int, flag(OUTPUT, "--width", help="Characters.")] = 80


@dataclass(frozen=True, kw_only=True)
class Wider(Printed):
    width: Annotated[int, flag(OUTPUT, "--width", help="Characters.")] = 120
    needed: Annotated[str, flag(ROWS, "--needed", help="Must be given.")]


def test_a_bundle_is_made_of_the_flags_on_the_line(run):
    found = []
    app = typer.Typer()

    @command(app, ["embank show x"])
    def show(
        printed: Wider,
        name: Annotated[str, argument("NAME", "A name.")],
        fast: Annotated[int, flag(COMPUTE, "--fast", help="How fast.")] = 0,
    ) -> None:
        found.append((printed, name, fast))

    app(["x", "--needed", "y", "--loud"], standalone_mode=False)
    assert found == [(Wider(loud=True, width=120, needed="y"), "x", 0)]
    assert show.__name__ == "show"


def test_arguments_come_first_and_flags_by_their_panel():
    def show(
        printed: Wider,
        fast: Annotated[bool, flag(COMPUTE, "--fast", help="Fast.")],
        name: Annotated[str, argument("NAME", "A name.")],
    ) -> None: ...

    assert list(signature(unbundled(show)).parameters) == ["name", "needed", "fast", "loud", "width"]


def test_a_flag_that_must_be_given_is_missed(run):
    app = typer.Typer()

    @command(app, ["embank show"])
    def show(printed: Wider) -> None: ...

    with pytest.raises(Exception, match="needed"):
        app([], standalone_mode=False)


def test_several_columns_are_refused_where_one_is_taken():
    assert listed(" a, ,b ") == ("a", "b")
    assert one_column(None, "search") is None
    assert one_column("a,", "search") == "a"
    with pytest.raises(UsageError, match="found 2 columns in --columns, search takes one"):
        one_column("a,b", "search")
