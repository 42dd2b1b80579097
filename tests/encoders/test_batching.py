"""Batches of token rows: every row once, within budget, in few shapes; pooling looks where it should."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embank.encoders import Tokens
from embank.encoders.batching import batches, is_bare, rounded_length, single_rows, stacked

LADDER = {rounded_length(length) for length in range(1, 5000)}


def rows_of(lengths, skip=0, owner=None, *, types=True):
    """Token rows whose numbers tell row and place."""
    ids = [[1 + row * 10_000 + place for place in range(length)] for row, length in enumerate(lengths)]
    kinds = [[place % 2 for place in range(length)] for length in lengths] if types else None
    owners = np.arange(len(lengths)) if owner is None else np.array(owner)
    return Tokens(ids=ids, types=kinds, owner=owners.astype(np.int64), skip=skip, cut=np.zeros(len(lengths), np.bool_))


lengths_ = st.lists(st.integers(1, 700), min_size=0, max_size=200)


@settings(deadline=None)
@given(lengths_, st.integers(1, 5000), st.booleans())
def test_every_row_comes_once_with_its_own_tokens(lengths, budget, types):
    tokens = rows_of(lengths, types=types)
    seen = []
    for rows, batch in batches(tokens, budget, -7):
        seen += rows.tolist()
        assert batch.rows == len(rows) <= len(batch.ids)
        assert (batch.types is not None) == types
        for at, row in enumerate(rows):
            own = lengths[row]
            assert batch.ids[at, :own].tolist() == tokens.ids[row]
            assert (batch.ids[at, own:] == -7).all()
            assert batch.mask[at].tolist() == [1] * own + [0] * (batch.ids.shape[1] - own)
            if types:
                assert batch.types[at, :own].tolist() == tokens.types[row]
        assert (batch.ids[len(rows) :] == -7).all()
        assert (batch.mask.sum(1) >= 1).all()
        assert (batch.pool == batch.mask).all()
    assert sorted(seen) == list(range(len(lengths)))


@settings(deadline=None)
@given(lengths_, st.integers(1, 5000))
def test_no_batch_exceeds_its_budget_unless_it_is_a_single_row(lengths, budget):
    for rows, batch in batches(rows_of(lengths), budget, 0):
        assert batch.ids.size <= budget or (len(rows) == len(batch.ids) == 1)


@settings(deadline=None)
@given(lengths_, st.integers(8, 5000))
def test_shapes_come_from_the_ladder_and_rows_from_what_a_length_allows(lengths, budget):
    longest = None
    for rows, batch in batches(rows_of(lengths), budget, 0):
        height, width = batch.ids.shape
        assert width in LADDER
        assert width == rounded_length(max(lengths[row] for row in rows))
        full = max(1, budget // width)
        assert height == full or (height.bit_count() == 1 and height < full)
        assert longest is None or width <= longest  # the largest allocation comes first
        longest = width


def test_random_lengths_give_few_shapes():
    lengths = np.random.default_rng(0).integers(1, 257, 20_000).tolist()
    shapes = {batch.ids.shape for _, batch in batches(rows_of(lengths, types=False), 2048, 0)}
    assert len(shapes) <= len({rounded_length(length) for length in range(1, 257)}) + 1 <= 22


@given(st.integers(1, 1 << 20))
def test_a_rounded_length_is_the_next_rung(length):
    rung = rounded_length(length)
    assert length <= rung <= length + max(8, length // 4 + 1, 512 * (length > 2048))
    assert rounded_length(rung) == rung


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 10), st.data())
def test_a_prompt_is_left_out_of_pooling_in_the_first_row_of_each_text(lengths, skip, data):
    owner = np.cumsum([0, *(data.draw(st.integers(0, 1)) for _ in lengths[1:])]).tolist()
    tokens = rows_of(lengths, skip, owner)
    for rows, batch in batches(tokens, 256, 0):
        for at, row in enumerate(rows):
            first = row == 0 or owner[row - 1] != owner[row]
            out = skip if first and lengths[row] > skip else 0  # a row that is all prompt is pooled over all of it
            assert batch.pool[at].tolist() == [0] * out + [1] * (lengths[row] - out) + [0] * (
                batch.ids.shape[1] - lengths[row]
            )
        assert (batch.pool.sum(1) >= 1).all()


@pytest.mark.parametrize("types", [True, False])
def test_single_rows_are_bare_and_stack_to_the_batch(types):
    tokens = rows_of([3, 9, 1], skip=1, types=types)
    ((rows, batch),) = batches(tokens, 512, 0)
    singles = list(single_rows(batch))
    assert all(map(is_bare, singles))
    assert not is_bare(batch)
    assert [single.ids[0].tolist() for single in singles] == [tokens.ids[row] for row in rows]
    assert [int(single.pool.sum()) for single in singles] == [
        len(tokens.ids[row]) - (len(tokens.ids[row]) > 1) for row in rows
    ]
    assert all((single.types is not None) == types for single in singles)
    assert [part.shape for part in stacked([np.ones((1, 2)), np.zeros((1, 5))] for _ in rows)] == [(3, 2), (3, 5)]


def test_a_row_that_the_ladder_pads_is_not_bare():
    ((_, batch),) = batches(rows_of([3]), 512, 0)
    assert batch.ids.shape == (1, 8)
    assert not is_bare(batch)
