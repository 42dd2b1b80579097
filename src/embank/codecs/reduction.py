"""Steps that follow an encoder's vectors before the codec: fewer dimensions, by principal axes or by leaving some out.

Compression without training. What a step learns from a sample (its mean, its leading axes) is learned once and kept
with the column, as a codec's calibration is, so one text alone gets the same vector as in a batch of a million, to the
byte.

`pca64` does not take the mean away first. Its axes are those of the second moments, so the products of vectors, and
with them their cosines, are kept as well as 64 numbers can keep them (Eckart and Young 1936); without the mean, cosines
would be those of other vectors. `centred+pca64` is the PCA of the textbooks: the leading axes of the covariance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from jaxtyping import Float64, Int32

from embank.arrays import PerDimension, Vectors
from embank.codecs.calibration import Calibration, digest, frozen
from embank.errors import UsageError
from embank.linalg.rotations import leading_axes

STEPS = ("unit", "centred", "pca", "dims")
"""What may follow pooling. `unit` scales a vector to length one; `centred` takes the mean of a sample away; `pca64` are
the coordinates along the 64 leading axes of a sample; `dims64` keeps the first 64 dimensions. What `centred` and `pca`
learn from their sample is kept with the column, as a codec's calibration is."""

LEARNED = ("centred", "pca")
"""Steps that learn from a sample, each at most once in a column."""

LIMITS = ("first", "segments")
"""What may follow `states` to limit their number: `first8` keeps the first 8 positions, `segments8` the means of 8
stretches of equal length."""

_AXIS_UNIT: Final = 20
"""Axes are stored as whole numbers of 2**-20, and the numbers of a vector are rounded to 2**-24 of the power of two
above its largest. All sums of the product are then whole numbers below 2**53 for any width up to 2**16 (Cauchy and
Schwarz), which float64 adds without rounding: no neighbour, batch or processor moves a bit."""

_NUMBER_UNIT: Final = 24
_BLOCK: Final = 4096
"""Texts turned at a time, which bounds the memory for float64."""

CENTRE: Final = "reduction_centre"
AXES: Final = "reduction_axes"
"""Names of what steps learned, beside what the codec learned in one file."""


@dataclass(frozen=True, eq=False)
class Reduction:
    """What a column's later steps do to vectors; a value that never changes once it was learned.

    Attributes:
        steps: such as ("centred", "pca64", "unit"), in their order.
        centre: what `centred` takes away, `[width]`, or None.
        axes: of `pca`, strongest first, in units of 2**-20, `[width, axes]`, or None.
    """

    steps: tuple[str, ...] = ()
    centre: PerDimension | None = None
    axes: Int32[np.ndarray, "width axes"] | None = None

    def __call__(self, vectors: Vectors) -> Vectors:
        """Vectors after all steps, `[texts, fewer]` float32; each depends on its own vector only, to the byte.

        Raises:
            UsageError: fewer dimensions than a step keeps, or others than it learned from.
        """
        width_after(self.steps, vectors.shape[1])
        for step in self.steps:
            vectors = self._taken(step, vectors)
        return vectors

    def calibration(self) -> Calibration:
        """Return what was learned, to be stored; empty if nothing was."""
        found = {CENTRE: self.centre, AXES: self.axes}
        return {name: array for name, array in found.items() if array is not None}

    @property
    def digest(self) -> str:
        """Hash of what was learned, 32 hexadecimal digits; "" if nothing was."""
        return digest(self.calibration())

    def _taken(self, step: str, vectors: Vectors) -> Vectors:
        word, number = limit_of(step)
        width = vectors.shape[1]
        match word:
            case "unit":
                return _unit(vectors)
            case "dims":
                return np.ascontiguousarray(vectors[:, :number])
            case "centred" if self.centre is not None:
                _same_width(step, width, len(self.centre))
                return np.asarray(vectors - self.centre, np.float32)
            case "pca" if self.axes is not None:
                _same_width(step, width, len(self.axes))
                return self._turned(vectors)
        raise AssertionError(step)  # pragma: no cover - a column's name is checked where it is read

    def _turned(self, vectors: Vectors) -> Vectors:
        """Coordinates along the axes."""
        turned = np.empty((len(vectors), self._whole_axes.shape[1]), np.float32)
        for start in range(0, len(vectors), _BLOCK):
            part = vectors[start : start + _BLOCK].astype(np.float64)
            _, exponent = np.frexp(np.abs(part).max(axis=1, keepdims=True, initial=0.0))
            whole = np.rint(np.ldexp(part, _NUMBER_UNIT - exponent))
            turned[start : start + len(part)] = np.ldexp(
                whole @ self._whole_axes, exponent - (_NUMBER_UNIT + _AXIS_UNIT)
            )
        return turned

    @cached_property
    def _whole_axes(self) -> Float64[np.ndarray, "width axes"]:
        """Whole numbers, as float64 because that is what matrix products are fast in."""
        assert self.axes is not None  # noqa: S101 - asked for by `pca` only
        return self.axes.astype(np.float64)


def limit_of(step: str) -> tuple[str, int]:
    """Take a step with a number apart: a limit of states, or a width; 0 if it has none.

    >>> limit_of("segments8"), limit_of("unit")
    (('segments', 8), ('unit', 0))
    """
    word = step.rstrip("0123456789")
    return word, int(step[len(word) :] or 0)


def learn(steps: Sequence[str], sample: Vectors) -> Reduction:
    """Learn a column's later steps from a sample, once, before the first row is written.

    Args:
        steps: in their order.
        sample: vectors as the encoder gives them, `[texts, width]`; where no step learns, only the width counts.

    Raises:
        UsageError: a step keeps more dimensions than the sample has, or the sample is empty.
    """
    found = Reduction(tuple(steps))
    width_after(steps, sample.shape[1])
    if learns(steps) and not len(sample):
        raise UsageError(f"the steps {'+'.join(steps)} are learned from a sample of texts, found an empty one")
    for step in steps:
        word, number = limit_of(step)
        if word == "centred":
            found = Reduction(found.steps, frozen(sample.mean(axis=0, dtype=np.float64), np.float32), found.axes)
        elif word == "pca":
            axes = np.rint(np.ldexp(leading_axes(sample, number), _AXIS_UNIT))
            found = Reduction(found.steps, found.centre, frozen(axes, np.int32))
        sample = found._taken(step, sample)  # noqa: SLF001 - a reduction in the making
    return found


def learns(steps: Sequence[str]) -> bool:
    """Whether one of the steps learns from a sample."""
    return any(limit_of(step)[0] in LEARNED for step in steps)


def width_after(steps: Sequence[str], width: int) -> int:
    """Dimensions that are left after all steps.

    Raises:
        UsageError: a step keeps more dimensions than are left.

    >>> width_after(("centred", "pca64", "unit"), 384)
    64
    """
    for step in steps:
        _, number = limit_of(step)
        if number > width:
            raise UsageError(f"the step {step!r} keeps {number} dimensions of {width}: name fewer")
        width = number or width
    return width


def restore(steps: Sequence[str], calibration: Calibration) -> Reduction:
    """Make a reduction again from what is stored; arrays of the codec, which lie in the same file, are passed over.

    Raises:
        UsageError: an array is missing, or no array of a reduction.
    """
    numbers = dict(limit_of(step) for step in steps)
    centre, axes = calibration.get(CENTRE), calibration.get(AXES)
    if ("centred" in numbers) != (centre is not None) or ("pca" in numbers) != (axes is not None):
        raise UsageError(f"the stored calibration does not fit the steps {'+'.join(steps)}; encode the column anew")
    if centre is not None:
        centre = frozen(centre, np.float32)
    if axes is not None:
        if axes.ndim != 2 or axes.shape[1] != numbers["pca"]:  # noqa: PLR2004 - width by axes
            raise UsageError(f"the stored axes have the shape {list(axes.shape)}, expected {numbers['pca']} axes")
        axes = frozen(axes, np.int32)
    return Reduction(tuple(steps), centre, axes)


def limited(states: Vectors, steps: Sequence[str]) -> Vectors:
    """Keep the first m positions of a text, or the means of m stretches of (nearly) equal length.

    The papers compare fixed- and limited-size representations (2004.14287); how they limit them is not known.

    >>> limited(np.array([[0.0], [2.0], [5.0]], np.float32), ["segments2"]).tolist()
    [[1.0], [5.0]]

    Args:
        states: `[tokens, width]` of one text.
        steps: those of the column's name, `first<m>` or `segments<m>`; none leaves all.

    Returns:
        `[at most m, width]`; a text of fewer tokens keeps what it has.
    """
    for step in steps:
        word, most = limit_of(step)
        if word == "first" or len(states) <= most:
            states = states[:most].copy()  # a view would keep the whole batch in memory
        else:
            begins = -(-np.arange(most) * len(states) // most)
            lengths = np.diff([*begins, len(states)])
            states = (np.add.reduceat(states, begins, axis=0) / lengths[:, None]).astype(np.float32)
    return states


def of_codec(calibration: Calibration) -> Calibration:
    """What the codec learned, out of all that a column's file holds."""
    return {name: array for name, array in calibration.items() if name not in (CENTRE, AXES)}


def _unit(vectors: Vectors) -> Vectors:
    """Scale to length one, each row by itself; a vector of zeros stays as it is."""
    exact = vectors.astype(np.float64)
    lengths = np.sqrt(np.square(exact).sum(axis=1, keepdims=True))
    return (exact / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)


def _same_width(step: str, found: int, expected: int) -> None:
    if found != expected:
        raise UsageError(f"step {step!r} was learned on vectors of width {expected}, found {found}")
