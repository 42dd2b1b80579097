"""Own modules are imported at the top of a module; the few that need torch are reached through doors, listed here."""

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

SOURCES = Path(__file__).parents[1] / "src" / "embank"

DOORS = {
    ("bank/__init__.py", "embank.plan.run"),
    ("bank/columns.py", "embank.distill.teacher"),
    ("bank/columns.py", "embank.fit.pooling"),
    ("encoders/load.py", "embank.encoders.openvino"),
    ("encoders/load.py", "embank.encoders.torch"),
    ("fit/fit.py", "embank.fit.tails"),
    ("predict/predict.py", "embank.predict.tails"),
    ("__init__.py", "the table of public names"),
}
"""Where which own module is imported late (docs/decisions/0019-torch-doors.md)."""

UNFINISHED: tuple[str, ...] = ()
"""Files that still import own modules late, or by a string; the list ends empty."""

FREE = {
    "a bank is read": "with embank.Bank.open(path) as bank: bank.vectors(column); bank.tasks(); bank.summary()",
    "heads are fitted": "with embank.Bank.open(path) as bank: bank.fit('new', ['a', 'b'] * 20, ids=range(40))",
    "heads predict": "with embank.Bank.open(path) as bank: bank.predict()",
    "a column is searched": "with embank.Bank.open(path) as bank: bank.search(bank.vectors(column)[:3])",
    "duplicates are found": "with embank.Bank.open(path) as bank: list(bank.dedup().blocks())",
    "a column is exported": "with embank.Bank.open(path) as bank: bank.export(path + '.npy', 'npy', column)",
    "texts are forgotten": "with embank.Bank.open(path) as bank: bank.forget_ids([3]); bank.verify()",
    "vectors are put": "with embank.Bank.open(path) as bank: bank.put(['x'], bank.vectors(column)[:1], column)",
    "help is shown": "from embank.cli import main; sys.argv = ['embank', '--help']; main()",
}


def late(path):
    """Own modules that a file imports inside a function, or names in a string that is loaded."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.ImportFrom) and (inner.module or "").startswith("embank"):
                    below = [f"{inner.module}.{one.name}" for one in inner.names]
                    yield next((name for name in below if is_module(name)), inner.module)
                if isinstance(inner, ast.Import):
                    yield from (one.name for one in inner.names if one.name.startswith("embank"))
                if isinstance(inner, ast.Call) and ast.unparse(inner.func).endswith(("load", "import_module")):
                    named = inner.args[0] if inner.args else None
                    if isinstance(named, ast.Constant | ast.JoinedStr) and "embank." in ast.unparse(named):
                        yield f"by a string: {ast.unparse(named)}"


def is_module(name):
    place = SOURCES.joinpath(*name.split(".")[1:])
    return place.with_suffix(".py").is_file() or place.is_dir()


def test_own_modules_are_imported_late_at_the_listed_doors_only():
    files = {str(path.relative_to(SOURCES)): path for path in SOURCES.rglob("*.py")}
    found = {(name, module) for name, path in files.items() for module in late(path)}
    doors = {door for door in DOORS if not door[1].startswith("the table")}
    assert {door for door in found - doors if not door[0].startswith(UNFINISHED)} == set()
    assert doors <= found, "a door that is not there any more is taken off the list"
    assert len(DOORS) <= 8


def test_what_a_door_leads_to_is_typed_where_it_is_used():
    for name, module in DOORS - {("__init__.py", "the table of public names")}:
        tree = ast.parse((SOURCES / name).read_text())
        doors = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == module]
        assert doors, "a door is an import statement, which a type checker follows"


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("embank.bank.columns", "embank.fit.pooling"),
        ("embank.distill.teacher", "embank.distill.vector_student"),
        ("embank.encoders.load", "embank.encoders.torch"),
        ("embank.fit.fit", "embank.fit.tails"),
        ("embank.predict.predict", "embank.predict.tails"),
        ("embank.predict.tails", "embank.models.tail"),
    ],
)
def test_the_checker_of_storeys_sees_the_edges_to_modules_that_need_torch(importer, imported):
    graph = grimp.build_graph("embank")
    assert imported in graph.find_modules_directly_imported_by(importer)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    import numpy as np

    import embank

    path = tmp_path_factory.mktemp("free") / "bank"
    vectors = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
    with embank.Bank.create(path) as opened:
        opened.put([f"message {number}" for number in range(40)], vectors, "given/0/own@int8", ids=range(40))
        opened.fit("task", ["yes", "no"] * 20, ids=range(40))
    return path


@pytest.mark.parametrize("feature", FREE)
def test_torch_is_not_imported_where(feature, bank, tmp_path):
    import shutil

    copy = shutil.copytree(bank, tmp_path / "bank")
    program = (
        "import sys, atexit, embank\n"
        f"path, column = {str(copy)!r}, 'given/0/own@int8'\n"
        "def check():\n"
        "    found = {'torch', 'transformers', 'openvino', 'peft'} & set(sys.modules)\n"
        "    print('IMPORTED', sorted(found), file=sys.stderr)\n"
        "atexit.register(check)\n"
        f"{FREE[feature]}\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "IMPORTED []" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_a_door_without_its_dependency_says_how_to_install_it(name, monkeypatch):
    from embank.errors import ExtraMissingError
    from embank.optional import missing_extra

    monkeypatch.setitem(sys.modules, name, None)
    expected = rf"{name} is needed here.*pip install 'embank\[{name}\]'"
    with pytest.raises(ExtraMissingError, match=expected), missing_extra(name):
        __import__(name)


def test_a_fault_in_an_own_module_is_no_missing_dependency():
    from embank.optional import missing_extra

    with pytest.raises(ModuleNotFoundError), missing_extra("torch"):
        __import__("embank.nothing")
