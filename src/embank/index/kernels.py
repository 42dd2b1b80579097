"""Products of queries with stored rows that are not decoded: scale, offset and rotation are folded into the queries.

`decode(rows) @ query` is `raw(rows) @ W + b` (see `embank.codecs`). Where rows are whole numbers, W is rounded to whole
numbers of 15 bits, and numkong, which comes with usearch, multiplies them without making floats of them (what that
gains: bench/search.py). Rounding is no guess: its largest effect is known, and is handed on as the slack of a score.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Final

import numpy as np
from jaxtyping import Float32, Float64

from embank.arrays import Rows, Vectors
from embank.codecs import Codec
from embank.codecs.binary import Binary
from embank.codecs.calibration import Calibrated
from embank.optional import is_installed, load

_STRETCH: Final = 2048
"""Rows that are cast or unpacked at a time, so that they stay in a core's cache."""

_SUMS: Final = 2**17
"""Whole numbers that come out of a product at a time, for the same reason."""

_TOP: Final = 127
"""The largest part of a weight: it is `coarse * first + fine * second`, both from -127 to 127."""

_PLANES: Final = 12
"""Bits of a weight where rows are bits: a product is then as many counts of common bits."""

_FEW: Final = 2
"""Up to so many queries, counting bits beats unpacking them."""

_BROAD: Final = 8
"""From one query for so many dimensions on, casting rows and BLAS beat whole numbers: kernels spend a time on each
product that does not shrink with the width (bench/log/2026-11.md)."""

_HALVES: Final = 4
"""Up to so many queries, float16 rows are multiplied as they are; with more, widening them costs little."""

PerQuery = Float32[np.ndarray, " queries"]
"""One number for each query."""

Weights = Float32[np.ndarray, "queries numbers"]
"""Queries with a codec folded into them: one number for each number of a raw row."""

Products = Float32[np.ndarray, "texts queries"]
"""Of some rows with all queries."""

Scratch = Float32[np.ndarray, " numbers"]
"""Memory that is used again and again."""


class FoldedQueries:
    """Queries into which a codec was folded; they multiply stored rows.

    Attributes:
        reach: how far the vector of a row of zeros is from the origin; sums on the way to a product are larger by it.
        error: of each query, by how much a product may be off for the rounding of its weights, at the most.
    """

    def __init__(self, codec: Codec, queries: Vectors) -> None:
        """Fold a codec into queries, `[queries, width]`."""
        self.codec = codec
        folded, bias = codec.fold(np.ascontiguousarray(queries.T), np.zeros(len(queries), np.float32))
        weights = np.ascontiguousarray(folded.T)
        self.error: PerQuery = np.zeros(len(queries), np.float32)
        zero = codec.decode(np.zeros((1, codec.cells), codec.dtype))
        self.reach = float(np.linalg.norm(zero.astype(np.float64)))
        fast = _kernels()
        self._multiply: Callable[[Rows, Products], None]
        broad = len(queries) * _BROAD >= weights.shape[1]
        if fast is None or not len(queries) or broad:
            self._multiply = _Plain(codec, weights, bias)
        elif isinstance(codec, Binary) and len(queries) <= _FEW:
            counted = _Counted(fast, weights, bias)
            self._multiply, self.error = counted, counted.error
        elif isinstance(codec, Calibrated):
            rounded = _Rounded(fast, codec, weights, bias)
            self._multiply, self.error = rounded, rounded.error
        elif codec.dtype == np.float16 and len(queries) <= _HALVES:
            self._multiply = _Halves(fast, weights)
        else:
            self._multiply = _Plain(codec, weights, bias)

    @property
    def by_blas(self) -> bool:
        """Whether numpy's matrix product does it, which may use several cores by itself."""
        return isinstance(self._multiply, _Plain)

    def products(self, rows: Rows, into: Scratch | None = None) -> Products:
        """Products of all queries with the decoded rows.

        Args:
            rows: as they are stored.
            into: memory for at least as many numbers, which the products then lie in: new memory for each block would
                cost more than the products themselves. None takes new memory.
        """
        shape = len(rows), len(self.error)
        found = np.empty(shape, np.float32) if into is None else into[: shape[0] * shape[1]].reshape(shape)
        self._multiply(rows, found)
        return found


def _kernels() -> ModuleType | None:
    """numkong, if it is installed and has the functions that are called here."""
    if not is_installed("numkong"):
        return None
    module = load("numkong", "search")
    return module if hasattr(module, "dots_packed") and hasattr(module, "dots_pack") else None


class _Plain:
    """Raw rows as float32, a stretch at a time where they have to be cast."""

    def __init__(self, codec: Codec, weights: Weights, bias: PerQuery) -> None:
        self._codec, self._weights, self._bias = codec, weights, bias

    def __call__(self, rows: Rows, found: Products) -> None:
        stretch = len(rows) if rows.dtype == np.float32 else _STRETCH
        for start in range(0, len(rows), max(1, stretch)):
            part = slice(start, start + stretch)
            np.matmul(self._codec.raw(rows[part]), self._weights.T, out=found[part])
        if self._bias.any():
            found += self._bias


class _Halves:
    """float16 rows as they lie; a query is the sum of two float16 numbers per dimension, of 22 bits together."""

    def __init__(self, fast: ModuleType, weights: Weights) -> None:
        self._fast = fast
        first = weights.astype(np.float16)
        # Scaled up, the rest keeps its bits: float16 has few below 2**-14.
        second = ((weights - first.astype(np.float32)) * np.float32(2**11)).astype(np.float16)
        self._packed = fast.dots_pack(np.concatenate([first, second]), dtype="float16")

    def __call__(self, rows: Rows, found: Products) -> None:
        both = np.asarray(self._fast.dots_packed(np.ascontiguousarray(rows), self._packed))
        queries = found.shape[1]
        np.multiply(both[:, queries:], np.float32(2**-11), out=found)
        found += both[:, :queries]


class _Rounded:
    """Whole numbers times weights of two whole numbers each."""

    def __init__(self, fast: ModuleType, codec: Calibrated, weights: Weights, bias: PerQuery) -> None:
        self._fast, self._codec = fast, codec
        exact = weights.astype(np.float64)
        coarse = np.maximum(np.abs(exact).max(axis=1), np.finfo(np.float32).tiny)[:, None] / _TOP
        coarse = coarse.astype(np.float32).astype(np.float64)
        first = np.rint(exact / coarse)
        # What is left is half a coarse step at the most.
        fine = (coarse / (2 * _TOP)).astype(np.float32).astype(np.float64)
        second = np.clip(np.rint((exact - first * coarse) / fine), -_TOP, _TOP)
        self._steps = np.concatenate([coarse, fine]).ravel().astype(np.float32)
        lost = exact - first * coarse - second * fine
        low, high = codec.lowest, codec.highest
        self.error, middle = _largest(lost, (low + high) / 2, (high - low) / 2)
        self._bias = bias + middle
        self._packed = fast.dots_pack(np.concatenate([first, second]).astype(np.int8), dtype="int8")

    def __call__(self, rows: Rows, found: Products) -> None:
        queries = len(self._bias)
        stretch = _SUMS // len(self._steps) + 1 if self._codec.cells == self._codec.width else _STRETCH
        for start in range(0, len(rows), stretch):
            part = slice(start, start + stretch)
            whole = np.ascontiguousarray(self._codec.whole(rows[part]))
            sums = np.asarray(self._fast.dots_packed(whole, self._packed)).astype(np.float32)
            sums *= self._steps
            np.add(sums[:, :queries], sums[:, queries:], out=found[part])
        found += self._bias


class _Counted:
    """Bits times weights of `_PLANES` bits: common bits of a row and each plane of the weights, counted."""

    def __init__(self, fast: ModuleType, weights: Weights, bias: PerQuery) -> None:
        self._fast = fast
        exact = weights.astype(np.float64)
        half = 2 ** (_PLANES - 1)
        largest = np.maximum(np.abs(exact).max(axis=1), np.finfo(np.float32).tiny)
        self._step = (largest / (half - 1)).astype(np.float32)
        levels = np.rint(exact / self._step[:, None]).astype(np.int64).clip(-half, half - 1)
        self.error, middle = _largest(exact - levels * self._step[:, None].astype(np.float64), 0.5, 0.5)
        self._bias = bias + middle
        places = np.arange(_PLANES)
        self._counts_as = np.where(places == _PLANES - 1, -half, 2**places).astype(np.float32)  # two's complement
        planes = (levels[:, None, :] >> places[None, :, None]) & 1
        packed = np.packbits(planes.astype(np.uint8).reshape(-1, planes.shape[2]), axis=1)
        self._packed = fast.dots_pack(packed, dtype="uint1")

    def __call__(self, rows: Rows, found: Products) -> None:
        stretch = _SUMS // (_PLANES * len(self._bias)) + 1
        for start in range(0, len(rows), stretch):
            part = slice(start, start + stretch)
            counts = np.asarray(self._fast.dots_packed(np.ascontiguousarray(rows[part]), self._packed))
            each = counts.view(np.int32).astype(np.float32).reshape(-1, _PLANES)
            found[part] = (each @ self._counts_as).reshape(len(counts), -1)
        found *= self._step
        found += self._bias


def _largest(lost: Float64[np.ndarray, "queries width"], middle: float, spread: float) -> tuple[PerQuery, PerQuery]:
    """What rounded weights lose of a product with numbers from `middle - spread` to `middle + spread`.

    Returns:
        Of each query how much that can be, by Cauchy and Schwarz, and what it is in the middle, which can be made good.
    """
    most = np.sqrt((lost * lost).sum(axis=1) * lost.shape[1]) * spread
    return most.astype(np.float32), (lost.sum(axis=1) * middle).astype(np.float32)
