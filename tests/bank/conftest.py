"""A bank of given vectors with one task of each kind: no encoder is needed to fit and predict."""

import numpy as np
import pytest

import embank

WIDTH, TEXTS = 24, 400


@pytest.fixture
def vectors():
    return np.random.default_rng(0).standard_normal((TEXTS, WIDTH)).astype(np.float32)


@pytest.fixture
def texts():
    return [f"message number {number}" for number in range(TEXTS)]


@pytest.fixture
def labels(vectors):
    side = vectors[:, :3]
    return {
        "colour": [("red", "green", "blue")[at] for at in side.argmax(1)],
        "sign": ["up" if row[0] > 0 else "down" for row in side],
        "tags": [[name for name, value in zip("abc", row, strict=True) if value > 0] for row in side],
        "size": (3 * side[:, 0] - side[:, 1]).tolist(),
    }


@pytest.fixture(params=["float32", "float16", "int8", "int4", "binary"])
def codec(request):
    return request.param


@pytest.fixture
def column(codec):
    return f"given/0/own@{codec}"


@pytest.fixture
def bank(tmp_path, texts, vectors, column):
    with embank.Bank.create(tmp_path / "bank") as opened:
        opened.put(texts, vectors, column, ids=[f"id{number}" for number in range(TEXTS)])
        yield opened


@pytest.fixture
def fitted(bank, texts, labels):
    for task, values in labels.items():
        bank.fit(task, values, texts=texts)
    return bank
