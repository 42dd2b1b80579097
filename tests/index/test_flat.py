"""Exact candidates: whatever the blocks, all of the true nearest are among them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embank.codecs.floats import Float32
from embank.index import RowBlock
from embank.index.flat import ExactIndex
from embank.linalg.cosine import cosines, lengths, unit


def in_blocks(vectors, size):
    def blocks():
        for at in range(0, len(vectors), size):
            part = vectors[at : at + size]
            yield RowBlock(np.arange(at, at + len(part)), part, lengths(part))

    return ExactIndex(Float32(vectors.shape[1]), blocks)


def by_hand(vectors, query, k):
    scores = cosines(vectors, np.repeat(query[None], len(vectors), axis=0)).astype(np.float32)
    return np.lexsort((np.arange(len(vectors)), -scores))[:k].tolist()


@settings(max_examples=settings.default.max_examples * 3 // 5, deadline=None)
@given(
    texts=st.integers(1, 60),
    queries=st.integers(1, 4),
    k=st.integers(1, 12),
    block=st.integers(1, 70),
    seed=st.integers(0, 99),
    levels=st.integers(1, 3),
)
def test_the_true_nearest_are_among_the_candidates_also_where_many_are_alike(texts, queries, k, block, seed, levels):
    random = np.random.default_rng(seed)
    vectors = random.integers(-levels, levels + 1, (texts, 3)).astype(np.float32)
    asked = random.integers(-levels, levels + 1, (queries, 3)).astype(np.float32)
    found = in_blocks(vectors, block).candidates(asked, k)
    assert (np.diff(found.queries) >= 0).all()
    for at in range(queries):
        own = found.texts[found.queries == at].tolist()
        assert len(own) == len(set(own))
        assert set(by_hand(vectors, asked[at], k)) <= set(own)


@pytest.mark.parametrize("queries", [1, 3, 40])
@pytest.mark.parametrize("towards", [1.0, -1.0])
def test_of_many_texts_of_all_lengths_the_nearest_are_found_and_few_others(queries, towards):
    random = np.random.default_rng(queries)
    vectors = random.standard_normal((30_000, 8)).astype(np.float32) + np.float32(3 * towards)
    vectors *= np.exp(random.normal(size=(len(vectors), 1))).astype(np.float32)
    vectors[[5, 20_000]] = 0
    asked = random.standard_normal((queries, 8)).astype(np.float32) + np.float32(3)
    found = in_blocks(vectors, 7_001).candidates(asked, 5)
    for at in range(queries):
        own = found.texts[found.queries == at].tolist()
        assert set(by_hand(vectors, asked[at], 5)) <= set(own)
        assert len(own) <= 12


def test_a_search_over_nothing_finds_nothing():
    found = ExactIndex(Float32(3), lambda: iter(())).candidates(np.ones((2, 3), np.float32), 5)
    assert len(found.queries) == len(found.texts) == 0


def test_more_queries_than_are_multiplied_at_once_keep_their_places():
    random = np.random.default_rng(0)
    vectors = random.standard_normal((700, 8)).astype(np.float32)
    found = in_blocks(vectors, 100).candidates(vectors, 1)
    first = [int(found.texts[found.queries == at][0]) for at in range(700)]
    assert first == list(range(700))


def test_vectors_are_scaled_to_length_one_and_zeros_stay():
    scaled = unit(np.array([[3, 4], [0, 0], [1e30, 1e30]], np.float32))
    np.testing.assert_allclose(scaled, [[0.6, 0.8], [0, 0], [np.sqrt(0.5)] * 2], rtol=1e-6)


@pytest.mark.parametrize(
    ("other", "cosine"), [([2, 0], 1), ([-1, 0], -1), ([0, 5], 0), ([0, 0], 0), ([1, 1], np.sqrt(0.5))]
)
def test_cosines_by_hand(other, cosine):
    assert cosines(np.array([[3, 0]], np.float32), np.array([other], np.float32))[0] == pytest.approx(cosine)
