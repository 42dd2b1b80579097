"""A tiny encoder's folder, and one thread: two wait for each other longer than they work on so little."""

import pytest

from material.tails import save_tiny


@pytest.fixture(scope="module", autouse=True)
def _one_thread(one_thread):
    """Every test here trains a little."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("encoder") / "tiny")
