"""What tests of every storey share."""

import pytest


@pytest.fixture(scope="module")
def one_thread():
    """Two threads on so little wait for each other longer than they work, the more so on a machine with other work."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
