"""Types say what goes in: few parameters are `Any` or `object`, and none of them is an encoder, a module or the like."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "src" / "embank"

UNTYPED = 16
"""Parameters that are exactly `Any`, `object` or another name for one of them; the number only goes down."""

TYPED = ("encoder", "module", "model", "tail", "dataset", "lessons", "objective", "store", "session", "bank")
"""Names of parameters that have a type of their own, always."""


def untyped(root: Path) -> Iterator[tuple[str, str, str]]:
    """File, function and parameter of every parameter that may be anything."""
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text())
        names = {"Any", "object", "typing.Any"}
        names |= {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.value) in names
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given = node.args
                every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
                for one in every:
                    if one is not None and one.annotation and ast.unparse(one.annotation).strip("'\"") in names:
                        yield str(path.relative_to(root)), node.name, one.arg


def test_few_parameters_may_be_anything():
    found = list(untyped(SOURCES))
    assert len(found) <= UNTYPED, f"give types to some of these {len(found)}: {found}"


def test_what_has_a_type_of_its_own_is_given_it():
    loose = [one for one in untyped(SOURCES) if one[2] in TYPED]
    assert not loose


if __name__ == "__main__":
    for found in untyped(SOURCES):
        print(*found)  # noqa: T201 - a script that counts
