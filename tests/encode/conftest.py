"""An empty bank."""

import pytest

from embank.store.folder import Store


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "bank") as opened:
        yield opened
