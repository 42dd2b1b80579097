"""The constraints of `make test-oldest` are the lower bounds of pyproject.toml."""

import re
import tomllib
from pathlib import Path

from packaging.version import Version

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
