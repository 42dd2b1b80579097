# ruff: noqa: INP001 - a script, not a package
"""Writes the generated references: the command line, the environment and the Python face, from the code itself.

    python docs/generate.py            # into docs/reference
    python docs/generate.py FOLDER     # elsewhere, to compare

What is written depends on the code alone: not on the terminal, the environment or the version of Python.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

import embank
from embank.cli._app import app
from embank.cli._flags import DEFAULT, PANELS

_WORDED = rf" [dim]\{DEFAULT}"
"""Begins a default in words, in the help of a flag."""
_SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises")
_NOTE = "<!-- written by docs/generate.py; edit the code and run `make docs` -->"
_BOTH = """\
A flag that has a [variable](environment.md) can be set by it; a flag that is written on the line wins."""
_COMPLETION = """\
`embank --install-completion` lets the shell complete commands and flags, and the tasks and columns of the bank on the
line."""
_EXIT_STATUS = """\
| status | meaning |
|---|---|
| 0 | done |
| 1 | refused, with one line on standard error; or `embank verify` found damage |
| 2 | the line could not be parsed: an unknown command or flag |
| 130 | stopped with Ctrl-C; what was encoded by then is kept |"""
_VARIABLES = """\
The command line reads these; the library reads none. A variable stands for its flag in every command that has the flag,
where it means the same; no other flag has one. A flag that is written on the line wins. A flag that takes no value is
on for `1`, `true`, `yes` and `on`."""


def main() -> None:
    """Write every generated page."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in pages().items():
        (folder / name).write_text(page, encoding="utf-8")


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    return {"cli.md": command_line(), "environment.md": environment(), "python.md": python_face()}


# the command line


def commands() -> dict[str, Any]:
    """Every command by its words, those below another included."""
    return dict(_below(typer.main.get_command(app), ""))


def _below(group: Any, words: str) -> Iterator[tuple[str, Any]]:
    for name, one in group.commands.items():
        if getattr(one, "commands", None):
            yield from _below(one, f"{words}{name} ")
        else:
            yield f"{words}{name}", one


def command_line() -> str:
    """Every command with its arguments and flags."""
    root: Any = typer.main.get_command(app)
    index = [
        f"| [`embank {name}`](#embank-{name.replace(' ', '-')}) | {_escaped(_first(one.help))} |"
        for name, one in commands().items()
    ]
    intro = f"{root.help}\n\n`embank --version` prints the version. {_BOTH}\n{_COMPLETION}"
    table = "\n".join(["| command | what it does |", "|---|---|", *index])
    sections = [part for name, one in commands().items() for part in _command(name, one)]
    return _page("# Command line", intro, table, *sections, "## Exit status", _EXIT_STATUS)


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [one for one in command.params if not _is_flag(one)]
    flags = [one for one in command.params if _is_flag(one)]
    usage = " ".join([f"embank {name} [OPTIONS]", *(_usage(one) for one in arguments)])
    yield f"## embank {name}"
    yield f"```text\n{usage}\n```"
    yield _one_line(command.help)
    yield "\n".join(["```console", *(f"$ {line}" for line in _examples(command)), "```"])
    if arguments:
        rows = [f"| `{one.metavar}` | {_escaped(_meaning(one))} |" for one in arguments]
        yield "\n".join(["| argument | meaning |", "|---|---|", *rows])
    for panel in PANELS:
        rows = [
            f"| {_spelling(one)} | {_escaped(_meaning(one))}{_variable(one)} | {_default(one)} |"
            for one in flags
            if one.rich_help_panel == panel
        ]
        if rows:
            yield "\n".join([f"| {panel.lower()} | meaning | default |", "|---|---|---|", *rows])


def _examples(command: Any) -> list[str]:
    """The lines of its help that a user may type."""
    return [line.strip().replace(r"\[", "[") for line in command.epilog.splitlines()[1:]]


def _is_flag(parameter: Any) -> bool:
    return str(parameter.opts[0]).startswith("-")


def _usage(argument: Any) -> str:
    return str(argument.metavar) if argument.required else f"[{argument.metavar}]"


def _spelling(flag: Any) -> str:
    value = "" if flag.is_flag else f" {flag.metavar or 'VALUE'}"
    return ", ".join([f"`{flag.opts[0]}{value}`", *(f"`{short}`" for short in flag.opts[1:])])


def _meaning(parameter: Any) -> str:
    """The help of a flag, without the default in words; a bracket is no markup."""
    return str(parameter.help).partition(_WORDED)[0].replace(r"\[", "[")


def _variable(flag: Any) -> str:
    return f" Variable: `{flag.envvar}`." if flag.envvar else ""


def _default(flag: Any) -> str:
    worded = str(flag.help).partition(_WORDED)[2].removesuffix("][/dim]").replace(r"\[", "[")
    if worded:
        return _escaped(worded)
    return "" if flag.default in (None, False, "") else f"`{flag.default}`"


# the environment


def environment() -> str:
    """Every variable: the flag that it stands for, and the commands that read it."""
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    for name, command in commands().items():
        for one in filter(_is_flag, command.params):
            if one.envvar:
                long = next(spelt for spelt in one.opts if spelt.startswith("--"))
                found.setdefault(one.envvar, {}).setdefault((long, _meaning(one)), []).append(name)
    rows = [
        f"| `{variable}` | `{flag}` | {', '.join(f'`{name}`' for name in names)} | {_escaped(meaning)} |"
        for variable in sorted(found)
        for (flag, meaning), names in found[variable].items()
    ]
    table = "\n".join(["| variable | flag | commands | meaning |", "|---|---|---|---|", *rows])
    return _page("# Environment variables", _VARIABLES, table)


# the Python face


def python_face() -> str:
    """Every public name with its signature and what its docstring says."""
    names = ", ".join(f"[`{name}`](#{name.lower()})" for name in embank.__all__)
    intro = f"`import embank` gives these names and no others: {names}. They are loaded at first use."
    sections = [part for name in embank.__all__ for part in (f"## {name}", *_public(name, getattr(embank, name)))]
    return _page("# Python", intro, *sections)


def _public(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, ModuleType):
        yield from _docs(value)
        for inner in getattr(value, "__all__", ()):
            one = getattr(value, inner)
            if inspect.isclass(one) or inspect.isfunction(one):
                yield f"### {name}.{inner}"
                yield from _public(inner, one)
    elif inspect.isclass(value):
        yield f"```python\n{_class_signature(name, value)}\n```"
        yield from _docs(value)
        for member, one in _members(value):
            yield f"### {name}.{member}"
            yield f"```python\n{_signature(one)}\n```"
            yield from _docs(one)
    else:
        yield f"```python\n{_signature(value)}\n```"
        yield from _docs(value)


def _members(owner: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that the class itself defines, in the order of its source."""
    for name, one in vars(owner).items():
        if name.startswith("_"):
            continue
        if isinstance(one, classmethod | staticmethod):
            yield name, one.__func__
        elif isinstance(one, property):
            yield name, one.fget
        elif inspect.isfunction(one):
            yield name, one


def _class_signature(name: str, owner: type) -> str:
    tree = _definition(owner)
    fields = [ast.unparse(one) for one in tree.body if isinstance(one, ast.AnnAssign)]
    if fields:
        return f"{name}({', '.join(fields)})"
    made = next((one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
    return name if made is None else f"{name}({_arguments(made)})"


def _signature(function: Callable[..., Any]) -> str:
    tree = _definition(function)
    decorated = {ast.unparse(one) for one in tree.decorator_list}
    if "property" in decorated:
        return f"{tree.name} -> {ast.unparse(tree.returns)}"
    returns = f" -> {ast.unparse(tree.returns)}" if tree.returns else ""
    return f"{tree.name}({_arguments(tree)}){returns}"


def _definition(value: Any) -> Any:
    """The definition as it is written: annotations of a live object read differently from one Python to the next."""
    return ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]


def _arguments(function: ast.FunctionDef) -> str:
    return re.sub(r"^(self|cls)(, )?", "", ast.unparse(function.args))


def _docs(value: Any) -> Iterator[str]:
    """A docstring as Markdown: sections become lists, examples become code."""
    text: list[str] = []
    section = ""
    for paragraph in re.split(r"\n\s*\n", inspect.getdoc(value) or ""):
        first, _, rest = paragraph.partition("\n")
        if first.rstrip(":") in _SECTIONS and first.endswith(":"):
            section = first.rstrip(":")
            yield from filter(None, ["\n\n".join(text)])
            text = []
            yield f"**{section}**"
            yield _entries(textwrap.dedent(rest), section)
        elif paragraph.startswith(">>>"):
            yield from filter(None, ["\n\n".join(text)])
            text = []
            yield f"```python\n{paragraph}\n```"
        else:
            text.append(paragraph)
    yield from filter(None, ["\n\n".join(text)])


def _entries(body: str, section: str) -> str:
    if section in ("Returns", "Yields"):
        return _one_line(body)
    entries: list[str] = []
    for line in body.splitlines():
        if line.startswith(" ") and entries:
            entries[-1] += f" {line.strip()}"
        else:
            entries.append(line)
    return "\n".join(f"- `{name}`: {meaning.strip()}" for name, _, meaning in (one.partition(":") for one in entries))


def _page(*parts: str) -> str:
    return "\n\n".join([_NOTE, *parts]) + "\n"


def _first(text: str) -> str:
    return _one_line(text).partition(". ")[0].rstrip(".") + "."


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    return _one_line(text).replace("|", "\\|")


if __name__ == "__main__":
    main()
