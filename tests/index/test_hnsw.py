"""The graph finds nearly all neighbours, survives being written, and grows."""

import numpy as np
import pytest

from embank.codecs.floats import Float32
from embank.errors import DamageError, ExtraMissingError
from embank.index import RowBlock
from embank.index.flat import ExactIndex
from embank.index.hnsw import GraphIndex
from embank.linalg.cosine import lengths

pytest.importorskip("usearch", reason="needs the extra 'search'")


@pytest.fixture
def vectors():
    return np.random.default_rng(0).standard_normal((600, 16)).astype(np.float32)


def index_of(vectors):
    """An index over vectors in memory; their numbers are their places."""
    block = RowBlock(np.arange(len(vectors)), vectors, lengths(vectors))
    return ExactIndex(Float32(vectors.shape[1]), lambda: iter([block]))


def recall_of(graph, vectors, queries, k=10):
    exact = index_of(vectors).candidates(queries, k)
    found = graph.candidates(queries, k)
    shares = []
    for at in range(len(queries)):
        true = set(exact.texts[exact.queries == at].tolist())
        shares.append(len(true & set(found.texts[found.queries == at].tolist())) / len(true))
    return np.mean(shares)


def test_nearly_all_of_the_closest_are_among_the_candidates_in_any_portions(vectors):
    graph = GraphIndex.empty(16)
    for start in range(0, 600, 250):
        graph.add(np.arange(start, min(start + 250, 600)), vectors[start : start + 250])
    assert len(graph) == 600
    assert recall_of(graph, vectors, vectors[:50]) > 0.97
    again = GraphIndex.restored(graph.content(), 16)
    assert len(again) == 600
    assert recall_of(again, vectors, vectors[:50]) > 0.97


@pytest.mark.parametrize(("texts", "queries", "k"), [(0, 2, 3), (1, 1, 5), (5, 1, 5), (5, 3, 100), (600, 0, 3)])
def test_few_texts_or_queries_are_no_matter(vectors, texts, queries, k):
    graph = GraphIndex.empty(16)
    if texts:
        graph.add(np.arange(texts), vectors[:texts])
    found = graph.candidates(vectors[:queries], k)
    for at in range(queries):
        own = found.texts[found.queries == at].tolist()
        assert len(own) == len(set(own)) == min(2 * k, texts)


def test_bytes_that_are_no_graph_are_refused():
    with pytest.raises(DamageError, match="built anew"):
        GraphIndex.restored(np.zeros(100, np.uint8), 16)


def test_without_usearch_the_install_line_is_told(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "usearch.index", None)
    with pytest.raises(ExtraMissingError, match="pip install 'embank\\[search\\]'"):
        GraphIndex.empty(3)
