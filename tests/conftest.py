"""What tests of every storey share."""

import importlib.util
from pathlib import Path

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


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory):
    """Gives the folder of a family's tiny encoder; made once, never changed."""
    from material.tiny_encoders import save_family

    made = {}

    def folder(family):
        if family not in made:
            made[family] = save_family(tmp_path_factory.mktemp("families") / family, family)
        return made[family]

    return folder


@pytest.fixture(scope="session")
def mpnet():
    """The folder of all-mpnet-base-v2; tests that read it are skipped where it has not been fetched."""
    script = Path(__file__).parents[1] / "bench" / "encoders.py"
    spec = importlib.util.spec_from_file_location("bench_encoders", script)
    encoders = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(encoders)
    folder = encoders.found()
    if folder is None:
        pytest.skip("needs all-mpnet-base-v2: python bench/encoders.py fetches it")
    return folder
