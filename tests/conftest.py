"""What tests of every storey share."""

import pytest
from hypothesis import settings

# The examples of a property: as many as `make test` has time for, and those of `make faults`. A test whose examples are
# dear takes a share of them: settings.default.max_examples // 4.
settings.register_profile("default", max_examples=100, deadline=None)
settings.register_profile("faults", max_examples=2000, deadline=None)
settings.load_profile("default")


@pytest.fixture(scope="module")
def one_thread():
    """Two threads on so little wait for each other longer than they work, the more so on a machine with other work."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
