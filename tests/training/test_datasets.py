"""What a training loop is dealt: every example once, little padding, the same order for the same seed."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embank.encoders.batching import rounded_length
from embank.training.datasets import batches_by_length, padded_states, shuffled_batches

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=700).map(np.array)


def dealt(batches):
    return np.concatenate(batches).tolist()


@settings(max_examples=settings.default.max_examples // 2, deadline=None)
@given(lengths=LENGTHS, batch=st.integers(1, 40), seed=st.integers(0, 1000))
def test_every_example_is_dealt_exactly_once_in_batches_that_are_full_but_for_one_a_bucket(lengths, batch, seed):
    batches = shuffled_batches(lengths, batch, [seed, 0])
    assert sorted(dealt(batches)) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // batch)
    assert sum(len(part) < batch for part in batches) <= 1


@settings(max_examples=settings.default.max_examples // 4, deadline=None)
@given(lengths=LENGTHS, batch=st.integers(1, 40), seed=st.integers(0, 1000))
def test_the_order_depends_on_seed_and_pass_alone(lengths, batch, seed):
    first = shuffled_batches(lengths, batch, [seed, 1])
    np.random.seed(3)  # noqa: NPY002 - numpy's global numbers have no part in it
    again = shuffled_batches(lengths, batch, [seed, 1])
    assert [part.tolist() for part in first] == [part.tolist() for part in again]


def test_another_pass_and_another_seed_have_another_order():
    lengths = np.random.default_rng(0).integers(1, 50, 200)
    found = {tuple(dealt(shuffled_batches(lengths, 8, seed))) for seed in ([0, 0], [0, 1], [0, 2], [1, 0], [1, 1])}
    assert len(found) == 5


def test_a_batch_holds_examples_of_similar_length_and_batches_come_in_no_order_of_length():
    lengths = np.random.default_rng(0).permutation(512)
    batches = shuffled_batches(lengths, 32, [0, 0])  # all of them are one bucket
    spans = [int(np.ptp(lengths[part])) for part in batches]
    assert max(spans) == 31
    means = [lengths[part].mean() for part in batches]
    assert means != sorted(means)
    assert means != sorted(means, reverse=True)


def test_batches_of_a_long_corpus_are_mixed_anew_in_every_pass():
    """Sorting is done within a bucket, not over everything: else the same examples would always meet."""
    lengths = np.arange(2000)
    company = [{frozenset(part.tolist()) for part in shuffled_batches(lengths, 8, [0, epoch])} for epoch in (0, 1)]
    assert len(company[0] & company[1]) < 5


@settings(max_examples=settings.default.max_examples // 2, deadline=None)
@given(lengths=LENGTHS, budget=st.integers(1, 5000))
def test_stretches_cover_every_example_once_and_keep_the_budget_with_their_padding(lengths, budget):
    batches = batches_by_length(lengths, budget)
    assert sorted(dealt(batches)) == list(range(len(lengths)))
    for part in batches:
        assert len(part)
        assert len(part) == 1 or len(part) * rounded_length(int(lengths[part].max())) <= budget
    found = lengths[dealt(batches)]
    assert (np.diff(found) <= 0).all()


def test_no_example_gives_no_batch():
    nothing = np.array([], np.int64)
    assert shuffled_batches(nothing, 8, [0, 0]) == []
    assert batches_by_length(nothing, 64) == []


def test_texts_without_a_token_fill_a_batch_of_padding():
    found = padded_states([np.empty((0, 4), np.float32)], 0)
    assert found["states"].shape == (1, 8, 4)
    assert not found["mask"].any()
    assert [part.tolist() for part in batches_by_length(np.zeros(3, np.int64), 16)] == [[0, 1], [2]]


def test_a_batch_has_the_states_of_each_text_its_mask_and_zeros_behind():
    random = np.random.default_rng(0)
    blocks = [random.standard_normal((length, 5)).astype(np.float32) for length in (3, 33, 1)]
    found = padded_states(blocks, 0)
    assert found["states"].shape == (3, 40, 5)
    assert found["states"].dtype == torch.float32
    assert (found["mask"].dtype, found["pool"].dtype) == (torch.int64, torch.int64)
    assert found["mask"].sum(1).tolist() == [3, 33, 1]
    for row, block in enumerate(blocks):
        np.testing.assert_array_equal(found["states"][row, : len(block)], block)
        assert found["mask"][row, : len(block)].all()
        assert not found["states"][row, len(block) :].any()
    assert torch.equal(found["pool"], found["mask"])


@pytest.mark.parametrize("skip", [1, 2, 5])
def test_pooling_leaves_out_a_prompt_except_where_a_text_is_nothing_else(skip):
    blocks = [np.ones((length, 4), np.float32) for length in (1, 2, 3, 8)]
    found = padded_states(blocks, skip)
    for row, block in enumerate(blocks):
        looked_at = [skip <= at < len(block) for at in range(8)]
        all_of_it = [at < len(block) for at in range(8)]
        assert found["pool"][row].bool().tolist() == (looked_at if len(block) > skip else all_of_it)
        assert found["mask"][row].bool().tolist() == all_of_it
    assert found["pool"].sum(1).min() > 0
