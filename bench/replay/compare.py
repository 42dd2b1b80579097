"""Artefact by artefact: whether two walks left the same, and where they first differ."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import artefacts
import numpy as np

_SHOWN = 120
"""Characters of a value that are shown."""

_EXACT = (".npy", ".parquet")
"""Files that hold nothing which may differ from run to run: here the bytes count."""


@dataclass(frozen=True)
class Compared:
    """One artefact on both sides.

    Attributes:
        name: its place below the walk's folder; of a catalogue, with its table.
        difference: the first one in words; None where both sides are equal.
    """

    name: str
    difference: str | None


def compare(base: Path, here: Path) -> list[Compared]:
    """Compare what two walks left in their folders; every artefact of either side is listed."""
    one, other = artefacts.collect(base), artefacts.collect(here)
    return [Compared(name, _compared(name, (one, base), (other, here))) for name in sorted({*one, *other})]


def _compared(name: str, base: tuple[dict[str, Any], Path], here: tuple[dict[str, Any], Path]) -> str | None:
    one, other = base[0].get(name), here[0].get(name)
    if one is None or other is None:
        return "only on the base" if other is None else "only in the working tree"
    if artefacts.same_bytes(one, other):
        return None
    found = difference(artefacts.read(one, base[1]), artefacts.read(other, here[1]))
    if found is None and name.endswith(_EXACT):
        return "the same values in other bytes"
    return found


def difference(base: Any, here: Any, at: str = "") -> str | None:
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
    # by their words, floats that are not a number are equal, and 0.0 and -0.0 are not
    if type(base) is type(here) and (repr(base) == repr(here) if isinstance(base, float) else base == here):
        return None
    return f"{at or 'content'}: {_short(base)}, now {_short(here)}"


def _of_dicts(base: dict[Any, Any], here: dict[Any, Any], at: str) -> str | None:
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


def _of_arrays(base: np.ndarray, here: np.ndarray, at: str) -> str | None:
    where = at or "array"
    if (base.dtype, base.shape) != (here.dtype, here.shape):
        return f"{where}: {base.dtype} {base.shape}, now {here.dtype} {here.shape}"
    if base.tobytes() == here.tobytes():
        return None
    one, other = (np.frombuffer(array.tobytes(), np.uint8).reshape(array.size, -1) for array in (base, here))
    places = np.flatnonzero((one != other).any(axis=1))
    first = tuple(int(place) for place in np.unravel_index(places[0], base.shape))
    return f"{where}{list(first)}: {base[first]!s}, now {here[first]!s}; {len(places)} of {base.size} differ"


def _short(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"
