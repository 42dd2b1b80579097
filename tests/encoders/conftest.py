"""Tiny encoders, opened; helpers to compare vectors."""

import numpy as np
import pytest

from embank.encoders.batching import batches
from embank.encoders.load import ReadingOptions, locate, open_encoder
from material.tiny_encoders import TEXTS, tiny_tokenizer


@pytest.fixture
def open_tiny(family_folder, tmp_path):
    """Opens a family's tiny encoder."""

    def opened(family="bert", backend="torch", dtype="float32", **options):
        located = locate(str(family_folder(family)), ReadingOptions(**options), local_files_only=True)
        return open_encoder(located, backend, dtype, tmp_path / "graphs")

    return opened


def vectors_of(encoder, texts, readouts, budget=None):
    """One vector a text for each readout, through tokens and batches; no windows."""
    tokens = encoder.tokens(texts)
    found = [np.empty((len(texts), encoder.width_of(readout)), np.float32) for readout in readouts]
    for rows, batch in batches(tokens, budget or encoder.budget, encoder.padding):
        for part, vectors in zip(found, encoder.vectors(batch, readouts), strict=True):
            part[tokens.owner[rows]] = vectors
    return found


@pytest.fixture(scope="session")
def encode():
    """Gives `vectors_of`: conftest modules cannot be imported from."""
    return vectors_of


def _close(found, right, tolerance=1e-5):
    """Equal up to rounding, which grows with the numbers themselves."""
    assert found.shape == right.shape
    assert np.abs(found - right).max() <= tolerance * max(1.0, float(np.abs(right).max()))


def _lowest_cosine(one, other):
    return float(((one * other).sum(1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1))).min())


@pytest.fixture
def close():
    return _close


@pytest.fixture
def lowest_cosine():
    return _lowest_cosine


@pytest.fixture
def texts():
    return list(TEXTS)


@pytest.fixture
def tiny():
    """Builds a tiny tokenizer."""
    return tiny_tokenizer
