"""A bank of given vectors at every precision, with two tasks; no encoder is needed to search it."""

import numpy as np
import pytest

import embank

WIDTH, TEXTS = 24, 300


@pytest.fixture
def vectors():
    random = np.random.default_rng(3)
    centres = random.standard_normal((12, WIDTH))
    made = centres[np.arange(TEXTS) % 12] + random.standard_normal((TEXTS, WIDTH))
    made[50] = made[20]
    made[51] = made[20]
    return made.astype(np.float32)


@pytest.fixture
def texts():
    return [f"message number {number}" for number in range(TEXTS)]


@pytest.fixture
def bank(tmp_path, texts, vectors):
    with embank.Bank.create(tmp_path / "bank") as opened:
        for codec in ("float32", "float16", "int8", "binary"):
            opened.put(texts, vectors, f"given/0/own@{codec}", ids=[f"id{number}" for number in range(TEXTS)])
        opened.put(texts, vectors, "alone/0/own@binary")
        yield opened
