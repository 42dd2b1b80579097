"""The constraints of `make test-oldest` are the lower bounds of pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
import transformers
from packaging.version import Version

from embank.encoders.architectures import ANATOMY

ROOT = Path(__file__).parents[2]


def test_the_oldest_versions_are_the_lower_bounds():
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    extras = project["optional-dependencies"]
    allowed = [*project["dependencies"], *extras["torch"], *extras["minilm"]]
    bounds = dict(re.findall(r"^([\w-]+)>=([\d.]+)$", "\n".join(allowed), re.MULTILINE))
    written = (ROOT / "constraints-oldest.txt").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([\w-]+)==([\d.]+)$", written, re.MULTILINE))
    assert pinned.keys() == bounds.keys()
    padded = {name: [*Version(version).release, 0, 0][:3] for name, version in pinned.items()}
    assert padded == {name: [*Version(version).release, 0, 0][:3] for name, version in bounds.items()}


def test_no_family_is_skipped_where_transformers_is_as_new_as_pinned():
    newest = re.search(r"^transformers==(.*)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)[1]
    if Version(transformers.__version__) < Version(newest):
        pytest.skip("an older transformers has fewer families")
    assert set(ANATOMY) <= set(transformers.CONFIG_MAPPING)
