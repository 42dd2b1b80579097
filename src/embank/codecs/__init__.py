"""The contract of codecs: vectors to stored rows and back, with a stated error, the same bytes alone and in a crowd.

A codec is a frozen value. It is calibrated once, on a sample; what it learned there is stored with the column, and
`restore` makes the same codec of it. Prediction need not decode at all: `fold` moves the codec's arithmetic into the
weights of a linear head, which then reads `raw` rows.

```
float32   4 bytes a number      exact
float16   2 bytes a number      relative error at most 2**-11; beyond +-65504 clipped
int8      1 byte a number       at most half a step inside the calibrated range; a step is 1/254 of that range
int4      4 bits a number       at most half a step inside the calibrated range; a step is 1/15 of that range
binary    1 bit a number        least squares over the sample; no bound for a single number
```

>>> import numpy as np
>>> sample = np.random.default_rng(0).normal(size=(100, 12)).astype(np.float32)
>>> codec = calibrate("binary", sample)
>>> codec.encode(sample).shape, codec.dtype
((100, 2), dtype('uint8'))
>>> restore("binary", 12, codec.calibration()).calibration_digest == codec.calibration_digest
True
"""

from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32 as Single

from embank.arrays import Matrix, Rows, Vectors
from embank.codecs.binary import Binary
from embank.codecs.calibration import Calibration
from embank.codecs.floats import Float16, Float32
from embank.codecs.int4 import Int4
from embank.codecs.int8 import Int8
from embank.errors import UsageError

__all__ = ["CODECS", "Calibration", "Codec", "calibrate", "restore"]


@runtime_checkable
class Codec(Protocol):
    """Vectors `[texts, width]` to rows `[texts, cells]` and back.

    `encode`, `decode` and `raw` raise UsageError for another width, another dtype of rows, and for vectors with NaN or
    infinity; they take any number of texts, none included.
    """

    @property
    def name(self) -> str:
        """One of `CODECS`."""

    @property
    def width(self) -> int:
        """Numbers in a vector."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of stored rows; little-endian."""

    @property
    def cells(self) -> int:
        """Numbers of that dtype in a stored row."""

    @property
    def row_bytes(self) -> int:
        """Bytes of a stored row."""

    @property
    def calibration_digest(self) -> str:
        """Hash of the calibration, 32 hexadecimal digits; "" where nothing was learned."""

    def calibration(self) -> Calibration:
        """Return what was learned, to be stored; empty where nothing was."""

    def encode(self, vectors: Vectors) -> Rows:
        """Return stored rows; each depends on its own vector only, to the byte."""

    def decode(self, rows: Rows) -> Vectors:
        """Return vectors as float32, to be read only: float32 rows come back as they lie in memory."""

    def raw(self, rows: Rows) -> Vectors:
        """Return the cheapest float32 `[texts, width]` that `fold`ed weights can read."""

    def fold(
        self, weights: Matrix, bias: Single[np.ndarray, " outputs"]
    ) -> tuple[Matrix, Single[np.ndarray, " outputs"]]:
        """Return W', b' so that `raw(rows) @ W' + b'` is `decode(rows) @ weights + bias`, to float32's rounding."""


CODECS: Final = ("float32", "float16", "int8", "int4", "binary")
"""Names of all codecs, from exact to small."""


def calibrate(name: str, sample: Vectors) -> Codec:
    """Learn a codec from a sample of vectors, once, before the first row is written.

    Args:
        name: one of `CODECS`.
        sample: `[texts, width]`; floats read only its width, so there it may be empty.

    Raises:
        UsageError: an unknown name; an empty sample where something has to be learned; NaN or infinity.
    """
    match name:
        case "float32":
            return Float32(sample.shape[1])
        case "float16":
            return Float16(sample.shape[1])
        case "int8":
            return Int8.calibrate(sample)
        case "int4":
            return Int4.calibrate(sample)
        case "binary":
            return Binary.calibrate(sample)
    raise _unknown(name)


def restore(name: str, width: int, calibration: Calibration) -> Codec:
    """Make a codec again from what its `calibration()` returned.

    Raises:
        UsageError: an unknown name, or arrays that this codec did not write for this width.
    """
    match name:
        case "float32":
            return Float32(width)
        case "float16":
            return Float16(width)
        case "int8":
            return Int8.restore(width, calibration)
        case "int4":
            return Int4.restore(width, calibration)
        case "binary":
            return Binary.restore(width, calibration)
    raise _unknown(name)


def _unknown(name: str) -> UsageError:
    return UsageError(f"unknown codec {name!r}; known are {', '.join(CODECS)}")
