"""A bank of given vectors, as searches have it."""

from material.given_bank import bank, texts, vectors  # noqa: F401 - fixtures
