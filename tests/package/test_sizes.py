"""Files stay small enough to be one idea each, and few stand beside the folders."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORD = (ROOT / "docs" / "decisions" / "0018-house.md").read_text(encoding="utf-8")
FILES = [path for folder in ("src", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
# A file below this may still be two ideas; one above 300 says in the record why it is one.
MOST_LINES, MOST_UNEXPLAINED, MOST_FLAT = 390, 300, 12


def lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def named(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_file_is_not_longer_than_the_limit(path):
    assert lines(path) <= MOST_LINES, "two ideas in one file: split it by idea"


@pytest.mark.parametrize("path", [path for path in FILES if lines(path) > MOST_UNEXPLAINED], ids=named)
def test_a_file_over_300_lines_says_in_the_record_why_it_is_one_idea(path):
    assert f"| `{named(path)}` |" in RECORD, "name it in docs/decisions/0018-house.md"


def test_few_modules_stand_beside_the_folders():
    flat = list((ROOT / "src" / "embank").glob("*.py"))
    assert len(flat) <= MOST_FLAT, sorted(path.name for path in flat)
