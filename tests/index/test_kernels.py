"""Products with stored rows equal products with decoded vectors, to the error that is told, at every precision."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embank.codecs import calibrate, codec_names
from embank.index import RowBlock
from embank.index import kernels as products
from embank.index.flat import ExactIndex
from embank.index.kernels import FoldedQueries
from embank.linalg.cosine import SLACK, cosines, lengths, unit

KERNELS = [
    "plain",
    pytest.param(
        "fast", marks=pytest.mark.skipif(importlib.util.find_spec("numkong") is None, reason="needs 'search'")
    ),
]


@pytest.fixture(params=KERNELS)
def kernels(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(products, "is_installed", lambda _: False)
    else:
        monkeypatch.setattr(products, "_BROAD", 0)  # also where BLAS would be quicker
    return request.param


def sample(seed, texts, width):
    """Vectors with dimensions of very different spreads, off the origin, some equal, some zero, one far away."""
    random = np.random.default_rng(seed)
    spreads = np.exp(random.normal(size=width))
    made = random.standard_normal((texts, width)) * spreads + random.normal(size=width)
    made[texts // 2] = made[0]
    made[texts // 3] = 0
    return made.astype(np.float32)


@pytest.mark.parametrize("codec_name", codec_names())
@pytest.mark.parametrize("queries", [1, 2, 3, 9])
def test_products_are_those_of_decoded_vectors_to_the_error_that_is_told(codec_name, queries, kernels):
    for seed, width in enumerate([1, 7, 8, 24, 129, 384]):
        vectors = sample(seed, 60, width)
        codec = calibrate(codec_name, vectors)
        rows = codec.encode(vectors)
        asked = unit(np.random.default_rng(seed).standard_normal((queries, width)).astype(np.float32))
        folded = FoldedQueries(codec, asked)
        exact = codec.decode(rows).astype(np.float64) @ asked.T.astype(np.float64)
        off = np.abs(folded.products(rows) - exact)
        long = lengths(codec.decode(rows)) + folded.reach
        assert (off <= folded.error + SLACK / 4 * long[:, None]).all()
        assert (folded.error <= 0.02 * long.mean()).all()  # or the slack would let everything through


@pytest.mark.parametrize("codec_name", codec_names())
@settings(max_examples=settings.default.max_examples * 3 // 20, deadline=None)
@given(
    texts=st.integers(4, 80),
    queries=st.integers(1, 9),
    k=st.integers(1, 12),
    block=st.integers(1, 90),
    seed=st.integers(0, 99),
    size=st.sampled_from([1e-18, 1e-3, 1.0, 1e4]),
    broad=st.sampled_from([0, products._BROAD]),
)
def test_the_true_nearest_of_decoded_vectors_are_among_the_candidates(
    codec_name, texts, queries, k, block, seed, size, broad
):
    vectors = sample(seed, texts, 12) * np.float32(size)
    codec = calibrate(codec_name, vectors)
    rows = codec.encode(vectors)
    decoded = np.concatenate([codec.decode(rows[at : at + 1]) for at in range(texts)])
    long = lengths(decoded)

    def blocks():
        for at in range(0, texts, block):
            part = slice(at, at + block)
            yield RowBlock(np.arange(texts)[part], rows[part], long[part])

    asked = np.random.default_rng(seed).standard_normal((queries, 12)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(products, "_BROAD", broad)
        found = ExactIndex(codec, blocks).candidates(asked, k)
    for at in range(queries):
        scores = cosines(decoded, np.repeat(asked[at : at + 1], texts, axis=0))
        best = np.lexsort((np.arange(texts), -scores.astype(np.float32)))[:k]
        own = found.texts[found.queries == at]
        assert set(best.tolist()) <= set(own.tolist())
        assert len(own) == len(set(own.tolist()))


@pytest.mark.parametrize(("queries", "by_blas"), [(1, False), (5, False), (6, True), (40, True)])
def test_many_queries_of_few_dimensions_are_left_to_blas(queries, by_blas):
    pytest.importorskip("numkong")
    vectors = sample(0, 60, 48)
    folded = FoldedQueries(calibrate("int8", vectors), unit(vectors[:queries]))
    assert folded.by_blas == by_blas


def test_products_may_lie_in_memory_that_is_given(kernels):
    vectors = sample(0, 60, 24)
    for name in codec_names():
        codec = calibrate(name, vectors)
        rows, memory = codec.encode(vectors), np.full(200, np.nan, np.float32)
        folded = FoldedQueries(codec, unit(vectors[:3]))
        found = folded.products(rows, memory)
        assert np.shares_memory(found, memory)
        np.testing.assert_array_equal(found, folded.products(rows))
        assert np.isnan(memory[180:]).all()


def test_few_more_than_k_come_back_at_every_precision(kernels):
    vectors = np.random.default_rng(0).standard_normal((3000, 96)).astype(np.float32) + 1
    asked = np.random.default_rng(1).standard_normal((5, 96)).astype(np.float32)
    for name in codec_names():
        codec = calibrate(name, vectors)
        rows = codec.encode(vectors)
        block = RowBlock(np.arange(3000), rows, lengths(codec.decode(rows)))
        found = ExactIndex(codec, lambda block=block: iter([block])).candidates(asked, 10)
        assert np.bincount(found.queries).max() <= 20, name


@pytest.mark.parametrize("codec_name", codec_names())
def test_queries_of_zeros_and_no_queries_are_no_matter(codec_name, kernels):
    vectors = sample(3, 30, 16)
    codec = calibrate(codec_name, vectors)
    rows = codec.encode(vectors)
    block = RowBlock(np.arange(30), rows, lengths(codec.decode(rows)))
    index = ExactIndex(codec, lambda: iter([block]))
    assert len(index.candidates(np.empty((0, 16), np.float32), 3).texts) == 0
    nothing = index.candidates(np.zeros((1, 16), np.float32), 3)
    assert set(nothing.texts.tolist()) == set(range(30))  # all are equally unlike it


def test_without_the_functions_that_are_called_the_plain_way_is_taken(monkeypatch):
    class Older:
        pass

    monkeypatch.setattr(products, "is_installed", lambda _: True)
    monkeypatch.setattr(products, "load", lambda *_: Older)
    vectors = sample(0, 20, 8)
    codec = calibrate("int8", vectors)
    rows = codec.encode(vectors)
    np.testing.assert_allclose(
        FoldedQueries(codec, vectors[:2]).products(rows), codec.decode(rows) @ vectors[:2].T, atol=1e-3
    )
