import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import embank
from embank.cli._app import app
from embank.encoders.architectures import ANATOMY

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
GENERATED = ("cli.md", "environment.md", "python.md")

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def generated_pages():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


def named(page):
    return str(page.relative_to(ROOT))


def commands():
    """Every command by its words: one, or more for those below another."""
    return dict(below(typer.main.get_command(app), ""))


def below(group, words):
    for name, one in group.commands.items():
        if getattr(one, "commands", None):
            yield from below(one, f"{words}{name} ")
        else:
            yield f"{words}{name}", one


def command_of(words):
    """The name of the command that a line begins with."""
    known = commands()
    beginnings = [" ".join(words[:count]) for count in range(1, len(words) + 1)]
    return next((beginning for beginning in beginnings if beginning in known), words[0])


def prose(page):
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def shown_commands(page) -> Iterator[list[str]]:
    """Every `embank ...` that a page shows in a block of shell, without pipes, comments and redirections."""
    for language, block in _FENCE.findall(page.read_text(encoding="utf-8")):
        if language not in ("console", "sh"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            typed = line.removeprefix("$ ") if language == "console" and line.startswith("$ ") else line
            if language == "console" and typed == line:
                continue  # what a command printed
            for words in simple_commands(typed):
                if words[:1] == ["embank"]:
                    yield words[1:]


def simple_commands(typed) -> Iterator[list[str]]:
    """A line of shell as its commands, without what connects or redirects them and without variables in front."""
    lexer = shlex.shlex(typed, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for token in [*lexer, ";"]:
        if set(token) <= set("();<>|&"):
            yield words
            words = []
        elif words or not re.fullmatch(r"[A-Z_]+=.*", token):
            words.append(token)


SHOWN = [(named(page), words) for page in PAGES for words in shown_commands(page)]


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_reference_is_what_the_code_says_now(name):
    written = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert written == generated_pages()[name], "run: make docs"


def test_the_generated_references_depend_on_nothing_but_the_code(monkeypatch):
    before = generated_pages()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("EMBANK_DTYPE", "float32")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert generated_pages() == before


def test_every_command_is_in_the_reference_and_in_the_readme():
    reference = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in commands():
        assert f"## embank {name}\n" in reference
        assert f"`embank {name} " in readme


_RECORD = r"(?:\[\d{4}\]\(\d{4}-[a-z0-9-]+\.md\)|\d{4})"
_STATUS = re.compile(
    rf"Date: \d{{4}}-\d\d-\d\d\. Status: (accepted|superseded by {_RECORD}|changed by {_RECORD}(, {_RECORD})*( and {_RECORD})?)\."
)


@pytest.mark.parametrize("record", sorted((DOCS / "decisions").glob("*.md")), ids=lambda record: record.stem)
def test_every_decision_record_says_whether_it_still_holds(record):
    status = _STATUS.fullmatch(record.read_text(encoding="utf-8").splitlines()[2])
    assert status, "expected: Status: accepted, superseded by NNNN, or changed by NNNN"
    others = re.findall(r"\b\d{4}\b(?!-)", status[1])
    assert all(number > record.stem[:4] for number in others), "a record is changed by a later one"


def test_every_extra_is_in_the_readme():
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    rows = re.findall(r"^\| `(\w+)` \| ", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(row for row in rows if row in extras) == sorted(extras)


def test_every_flag_and_its_variable_are_in_the_reference():
    reference = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    environment = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    for command in commands().values():
        for parameter in command.params:
            if parameter.opts[0].startswith("-") and parameter.envvar:
                assert f"`{parameter.envvar}`" in environment
                assert all(f"`{spelt}" in reference for spelt in parameter.opts)


def test_every_public_name_is_documented():
    reference = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    for name in embank.__all__:
        assert f"\n## {name}\n" in reference
        assert (getattr(embank, name).__doc__ or "").strip(), f"{name} has no docstring"


def test_the_face_is_complete():
    assert set(embank.__all__) == set(embank._PUBLIC)
    assert sorted(embank.__all__) == dir(embank)
    for name in embank.__all__:
        getattr(embank, name)


def test_every_command_is_told_of_outside_the_reference():
    told = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.name not in GENERATED)
    for name in commands():
        assert f"embank {name}" in told


def test_every_family_that_can_be_cut_is_listed():
    page = (DOCS / "howto" / "tails.md").read_text(encoding="utf-8")
    listed = re.search(r"`config\.json`\): ([^.]*)\. Others", page)
    assert listed[1].replace("\n", " ").split(", ") == sorted(ANATOMY)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_leads_somewhere(page):
    for target in _LINK.findall(prose(page)):
        place, _, heading = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        there = (page.parent / place).resolve() if place else page
        assert there.exists(), f"{named(page)} links to {target}"
        assert there.is_relative_to(ROOT), f"{named(page)} links out of the repository: {target}"
        if heading:
            titles = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_documents_show_commands():
    assert len(SHOWN) > 30
    assert {command_of(words) for _, words in SHOWN} >= set(commands())


@pytest.mark.parametrize(("page", "words"), SHOWN, ids=[f"{page}: {' '.join(words)}" for page, words in SHOWN])
def test_a_command_that_is_shown_can_be_parsed(page, words):
    name = command_of(words)
    commands()[name].make_context(f"embank {name}", words[len(name.split()) :])


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in GENERATED], ids=named)
def test_python_that_is_shown_can_be_parsed(page):
    for language, block in _FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "python" and ">>>" not in block:
            compile(block, named(page), "exec")


def test_every_page_is_reached_from_the_index():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in _LINK.findall(index)}
    assert {page for page in DOCS.rglob("*.md") if page.name != "index.md"} <= linked
