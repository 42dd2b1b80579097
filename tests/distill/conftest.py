"""A tiny encoder's folder, and one thread."""

from multitask.conftest import _one_thread, folder  # noqa: F401 - fixtures
