"""Which source a batch comes from: in proportion to its size and the temperature, by seed alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embank.multitask.sampling import mixed_batches, shares

SIZES = st.lists(st.integers(1, 400), min_size=1, max_size=6)


@given(SIZES, st.floats(0.05, 50))
def test_shares_sum_to_one_and_larger_sources_are_never_drawn_less(sizes, temperature):
    found = shares(sizes, temperature)
    assert found.sum() == pytest.approx(1)
    assert (np.diff(found[np.argsort(sizes)]) >= -1e-12).all()


def test_a_temperature_of_one_is_by_size_and_a_high_one_is_alike():
    assert shares([10, 90], 1.0).tolist() == pytest.approx([0.1, 0.9])
    assert shares([10, 90], 1e6).tolist() == pytest.approx([0.5, 0.5], abs=1e-5)


@given(SIZES, st.integers(1, 40), st.floats(0.5, 10), st.integers(0, 5))
def test_every_batch_is_of_one_source_and_every_source_has_one(sizes, batch, temperature, seed):
    lengths = [np.random.default_rng(number).integers(1, 30, size) for number, size in enumerate(sizes)]
    found = mixed_batches(lengths, batch, temperature, [seed, 0])
    ends = np.cumsum(sizes)
    owners = [set(np.searchsorted(ends, which, side="right").tolist()) for which in found]
    assert all(len(owner) == 1 for owner in owners)
    assert set.union(*owners) == set(range(len(sizes)))
    assert all(0 < len(which) <= batch and len(set(which.tolist())) == len(which) for which in found)


@given(st.integers(0, 3))
def test_a_pass_is_the_same_whenever_it_is_asked_for_and_unlike_the_next(epoch):
    lengths = [np.arange(1, 65), np.arange(1, 17)]
    first, again, after = (mixed_batches(lengths, 8, 2.0, [3, number]) for number in (epoch, epoch, epoch + 1))
    assert [which.tolist() for which in first] == [which.tolist() for which in again]
    assert len(first) == len(after)
    assert [which.tolist() for which in first] != [which.tolist() for which in after]


def test_a_source_by_size_is_gone_through_once():
    lengths = [np.arange(1, 33), np.arange(1, 97)]
    seen = np.concatenate(mixed_batches(lengths, 8, 1.0, [0, 0]))
    assert sorted(seen.tolist()) == list(range(128))
