"""Commands whose flags come in bundles: a parameter that is a dataclass of flags stands for all of its fields."""

from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, get_args

import typer

from embank.cli._flags import PANELS

Command = Callable[..., None]


def command(
    app: typer.Typer, examples: Sequence[str], *, name: str | None = None, panel: str | None = None
) -> Callable[[Command], Command]:
    """Register a function as a command, with examples below its help: `@command(app, EXAMPLES)`.

    Args:
        app: the group that it belongs to.
        examples: lines that a user may type.
        name: where it is not the function's.
        panel: on the help page of its group.
    """

    def registered(function: Command) -> Command:
        shown = "\n".join(["Examples:", *(f"  {line}" for line in examples)]).replace("[", r"\[")
        app.command(name, rich_help_panel=panel, epilog=shown)(unbundled(function))
        return function

    return registered


def unbundled(function: Command) -> Command:
    """The function with the fields of its bundles as parameters of its own, all of them by name.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Size:
    ...     width: int = 2
    >>> signature(unbundled(lambda size: print(size)))
    <Signature (*, size)>
    >>> def show(name: str, size: Size) -> None:
    ...     print(name, size)
    >>> signature(unbundled(show))
    <Signature (*, name: str, width: int = 2)>
    >>> unbundled(show)(name="a", width=3)
    a Size(width=3)
    """
    bundles: dict[str, Any] = {}
    parameters: list[Parameter] = []
    for name, parameter in signature(function).parameters.items():
        if is_dataclass(parameter.annotation):
            bundles[name] = parameter.annotation
            parameters += [
                _read(Parameter(one.name, Parameter.KEYWORD_ONLY, annotation=one.type, default=one))
                for one in fields(parameter.annotation)
            ]
        else:
            parameters.append(_read(parameter))

    @wraps(function)
    def call(**given: Any) -> None:
        made = {
            name: bundle(**{one.name: given.pop(one.name) for one in fields(bundle)})
            for name, bundle in bundles.items()
        }
        function(**given, **made)

    parameters.sort(key=_panel)
    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _read(given: Parameter) -> Parameter:
    """A parameter as typer reads it: an option of a bundle, or of a function, has what `option` was given."""
    name, annotation, default = given.name, given.annotation, given.default
    if isinstance(default, Field):
        if "flag" in default.metadata:
            names = default.metadata["names"] or (f"--{name.replace('_', '-')}",)
            annotation = Annotated[annotation, default.metadata["flag"](*names)]
        default = Parameter.empty if default.default is MISSING else default.default
    for one in getattr(annotation, "__metadata__", ()):
        if get_args(annotation)[0] is bool:
            one.metavar = ""  # a switch takes no value
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _panel(parameter: Parameter) -> int:
    """Where a parameter stands: arguments first, then flags by their panel."""
    panel = next((one.rich_help_panel for one in getattr(parameter.annotation, "__metadata__", ())), None)
    return PANELS.index(panel) + 1 if panel in PANELS else 0
