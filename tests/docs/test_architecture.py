"""The pages that lead through the code name files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "docs/explanation/architecture.md")
_PATH = re.compile(r"`(?:src/embank/)?((?:[a-z0-9_]+/)*(?:[a-z0-9_]+\.py|[a-z0-9_]+/))`")


def places(page):
    """Files and folders in backticks, as they may be meant: below the package, or below the root."""
    return sorted(set(_PATH.findall((ROOT / page).read_text(encoding="utf-8"))))


@pytest.mark.parametrize(("page", "place"), [(page, place) for page in PAGES for place in places(page)])
def test_a_file_that_a_page_names_exists(page, place):
    below = (ROOT, ROOT / "src" / "embank", ROOT / "docs")
    assert any((folder / place).exists() for folder in below), f"{page} names {place}"


def test_the_architecture_names_every_folder_of_the_package():
    named = {place.partition("/")[0] for place in places("docs/explanation/architecture.md")}
    folders = {path.name for path in (ROOT / "src" / "embank").iterdir() if (path / "__init__.py").is_file()}
    assert folders <= named
