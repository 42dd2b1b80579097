"""Optional dependencies: imported at first use; if one is missing, the error has its install line."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, util
from types import ModuleType

from embank.errors import ExtraMissingError


@contextmanager
def missing_extra(extra: str) -> Iterator[None]:
    """Around a late import of an own module: where what it needs is not installed, say how to install it.

    Args:
        extra: of Embank, that brings what the module needs.

    Raises:
        ExtraMissingError: it is not installed; the message has the install line.
    """
    try:
        yield
    except ModuleNotFoundError as absent:
        if absent.name is None or absent.name.partition(".")[0] == "embank":
            raise
        raise ExtraMissingError(_message(absent.name, extra)) from absent


def load(module: str, extra: str) -> ModuleType:
    """Import an optional dependency.

    Raises:
        ExtraMissingError: it is not installed; the message has the install line.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as absent:
        raise ExtraMissingError(_message(module, extra)) from absent


def is_installed(module: str) -> bool:
    """Say whether a dependency is installed, without importing it."""
    return util.find_spec(module) is not None


def _message(module: str, extra: str) -> str:
    return f"{module} is needed here and is not installed; install it with: pip install 'embank[{extra}]'"
