"""Artefact by artefact: whether two walks left the same, and where they first differ."""

from dataclasses import dataclass

import artefacts
import numpy as np

_SHOWN = 120
"""Characters of a value that are shown."""


@dataclass(frozen=True)
class Compared:
    """One artefact on both sides.

    Attributes:
        name: its place below the walk's folder; of a catalogue, with its table.
        difference: the first one in words; None where both sides are equal.
    """

    name: str
    difference: str | None


def compare(base, here):
    """Compare what two walks left in their folders; every artefact of either side is listed."""
    one, other = artefacts.collect(base), artefacts.collect(here)
    return [Compared(name, _compared(name, (one, base), (other, here))) for name in sorted({*one, *other})]


def _compared(name, base, here):
    one, other = base[0].get(name), here[0].get(name)
    if one is None or other is None:
        return "only on the base" if other is None else "only in the working tree"
    if artefacts.same_bytes(one, other):
        return None
    return difference(artefacts.read(one, base[1]), artefacts.read(other, here[1]))


def difference(base, here, at=""):
    """Where two normal forms first differ, and by what; None where they are equal to the bit."""
    if isinstance(base, np.ndarray) and isinstance(here, np.ndarray):
        return _of_arrays(base, here, at)
    if isinstance(base, dict) and isinstance(here, dict):
        return _of_dicts(base, here, at)
    if isinstance(base, list) and isinstance(here, list):
        for place, (one, other) in enumerate(zip(base, here, strict=False)):
            found = difference(one, other, f"{at}[{place}]")
            if found:
                return found
        return None if len(base) == len(here) else f"{at or 'rows'}: {len(base)} entries, now {len(here)}"
    if type(base) is type(here) and (base == here or repr(base) == repr(here)):  # a float that is not a number
        return None
    return f"{at or 'content'}: {_short(base)}, now {_short(here)}"


def _of_dicts(base, here, at):
    for key in base:
        if key not in here:
            return f"{at}.{key} is missing now"
    for key in here:
        if key not in base:
            return f"{at}.{key} is new"
    for key, value in base.items():
        found = difference(value, here[key], f"{at}.{key}" if at else str(key))
        if found:
            return found
    return None


def _of_arrays(base, here, at):
    where = at or "array"
    if (base.dtype, base.shape) != (here.dtype, here.shape):
        return f"{where}: {base.dtype} {base.shape}, now {here.dtype} {here.shape}"
    if base.dtype.hasobject or base.tobytes() == here.tobytes():
        return None
    one, other = (np.frombuffer(array.tobytes(), np.uint8).reshape(array.size, -1) for array in (base, here))
    places = np.flatnonzero((one != other).any(axis=1))
    first = tuple(int(place) for place in np.unravel_index(places[0], base.shape))
    return f"{where}{list(first)}: {base[first]!s}, now {here[first]!s}; {len(places)} of {base.size} differ"


def _short(value):
    said = repr(value)
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"
