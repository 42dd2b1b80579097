"""A bank of given vectors, as searches have it."""

from search.conftest import bank, texts, vectors  # noqa: F401 - fixtures
