"""A bank behaves like a SentenceTransformer where evaluators look."""
# ruff: noqa: F811 - fixtures that are imported are asked for by name

import numpy as np
import pytest

from embank import SentenceEncoder
from embank.errors import UsageError
from material.given_bank import bank, texts, vectors  # noqa: F401 - fixtures

COLUMN = "given/0/own@float32"


def test_texts_strings_and_batches_give_the_same_vectors(bank, texts, vectors):
    encoder = SentenceEncoder(bank, COLUMN)
    np.testing.assert_array_equal(encoder.encode(texts[:4], batch_size=2, show_progress_bar=True), vectors[:4])
    np.testing.assert_array_equal(encoder.encode(texts[2]), vectors[2])
    batches = [{"text": texts[:3]}, {"text": texts[3]}]
    np.testing.assert_array_equal(encoder.encode(batches, task_metadata=None), vectors[:4])
    both = SentenceEncoder(bank, [COLUMN, "given/0/own@int8"]).encode(texts[:2])
    assert both.shape == (2, 48)


def test_similarities_are_cosines(bank, texts, vectors):
    encoder = SentenceEncoder(bank, COLUMN)
    found = encoder.encode(texts[:5], normalize_embeddings=True)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(encoder.similarity(vectors[:5], vectors[:3]), found @ found[:3].T, atol=1e-6)
    np.testing.assert_allclose(encoder.similarity_pairwise(vectors[:5], vectors[:5]), 1, atol=1e-6)


def test_what_does_not_fit_is_refused_in_words(bank):
    with pytest.raises(UsageError, match="name one at least"):
        SentenceEncoder(bank, [])
    with pytest.raises(UsageError, match="torch.from_numpy"):
        SentenceEncoder(bank, COLUMN).encode(["a"], convert_to_tensor=True)
    with pytest.raises(UsageError, match="cannot be encoded|no vector"):
        SentenceEncoder(bank, COLUMN).encode(["never seen"])


def test_evaluators_of_sentence_transformers_take_it(bank, texts, vectors):
    evaluation = pytest.importorskip("sentence_transformers.util")
    encoder = SentenceEncoder(bank, COLUMN)
    theirs = evaluation.cos_sim(encoder.encode(texts[:6]), vectors[:4]).numpy()
    np.testing.assert_allclose(encoder.similarity(encoder.encode(texts[:6]), vectors[:4]), theirs, atol=1e-6)
