"""A bank of given vectors at every precision, with two tasks."""

from material.given_bank import bank, texts, vectors  # noqa: F401 - fixtures
