"""Unknown columns of a file: one message that lists the known ones, with the closest match."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from embank.errors import InputError

_SHOWN = 30


def require_columns(source: str, asked: Sequence[str], present: Iterable[str]) -> None:
    """See that all columns asked for are there.

    Raises:
        InputError: one is not; the message lists those there are, and a close match.
    """
    there = list(present)
    absent = [name for name in asked if name not in there]
    if not absent:
        return
    wanted = ", ".join(repr(name) + _hint(name, there) for name in absent)
    listed = ", ".join(there[:_SHOWN]) + (f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else "")
    noun = "column" if len(absent) == 1 else "columns"
    raise InputError(f"{source} has no {noun} {wanted}; its columns are: {listed or '(none)'}")


def _hint(name: str, there: Sequence[str]) -> str:
    folded = {present.strip().casefold(): present for present in there}
    close = get_close_matches(name.strip().casefold(), list(folded), n=1)
    return f" (did you mean {folded[close[0]]!r}?)" if close else ""
