"""Temperature: held-back logits become as sure as they are right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embank.errors import HeadError
from embank.heads.calibration import nll, temperature


def logits_and_truth(kind, factor, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(4000, 3)) * 2
    if kind == "single":
        truth = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    else:
        truth = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(int)
    return logits * factor, truth


@pytest.mark.parametrize("kind", ["single", "multi"])
@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_it_finds_the_factor_by_which_logits_are_too_sure(kind, factor):
    logits, truth = logits_and_truth(kind, factor)
    assert temperature(logits, truth, kind) == pytest.approx(factor, rel=0.1)


@settings(max_examples=settings.default.max_examples * 3 // 10, deadline=None)
@given(factor=st.floats(0.1, 10), seed=st.integers(0, 1000), kind=st.sampled_from(["single", "multi"]))
def test_it_never_raises_the_loss_it_was_learnt_on(factor, seed, kind):
    logits, truth = logits_and_truth(kind, factor, seed)
    found = temperature(logits[:50], truth[:50], kind)
    assert nll(logits[:50] / found, truth[:50], kind) <= nll(logits[:50], truth[:50], kind) + 1e-6


def test_no_rows_leave_the_temperature_at_one():
    assert temperature(np.empty((0, 3)), np.empty(0, int), "single") == 1.0


def test_numbers_are_not_calibrated_and_lengths_have_to_fit():
    with pytest.raises(HeadError, match="regression"):
        temperature(np.ones((2, 1)), np.ones(2), "regression")
    with pytest.raises(HeadError, match="2 rows"):
        temperature(np.ones((2, 3)), np.zeros(5, int), "single")
