"""Seeds of a fault: those that CI tries, and the many more of `make faults`."""

import pytest


def seeds(usual, faults):
    """The first `usual` seeds, and up to `faults` of them marked for `make faults`."""
    return [*range(usual), *(pytest.param(seed, marks=pytest.mark.faults) for seed in range(usual, faults))]
