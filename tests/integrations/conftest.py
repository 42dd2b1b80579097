"""A bank of given vectors, as fits have it."""

from bank.conftest import bank, codec, column, labels, texts, vectors  # noqa: F401 - fixtures
