import pytest

from embank.store.folder import Store


@pytest.fixture
def store(tmp_path):
    """An empty bank."""
    with Store.create(tmp_path / "bank") as made:
        yield made
