"""Optional dependencies: imported at first use, with the install line where one is missing."""

from importlib import import_module, util
from types import ModuleType

from embank.errors import ExtraMissingError


def load(module: str, extra: str) -> ModuleType:
    """Import an optional dependency.

    Raises:
        ExtraMissingError: it is not installed; the message has the install line.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as absent:
        message = f"{module} is needed here and is not installed; install it with: pip install 'embank[{extra}]'"
        raise ExtraMissingError(message) from absent


def is_installed(module: str) -> bool:
    """Say whether a dependency is there, without importing it."""
    return util.find_spec(module) is not None
