"""The codecs by name: each class registers itself, also one that is written outside of Embank."""

import re
from typing import Any, ClassVar, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float32 as Single

from embank.arrays import Matrix, Rows, Vectors
from embank.codecs.calibration import Calibration
from embank.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9]*")


@runtime_checkable
class Codec(Protocol):
    """Vectors `[texts, width]` to rows `[texts, cells]` and back.

    `encode`, `decode` and `raw` raise UsageError for another width, another dtype of rows, and for vectors with NaN or
    infinity; they take any number of texts, none included.

    Attributes:
        name: as it is written after the @ of a column; letters and digits.
        dtype: of stored rows; little-endian.
        bits_per_number: how many bits of a row one number of a vector takes; codecs are listed by it.
        learns: whether it has to be calibrated on a sample of texts.
    """

    name: ClassVar[str]
    dtype: ClassVar[np.dtype[Any]]
    bits_per_number: ClassVar[int]
    learns: ClassVar[bool]

    @classmethod
    def calibrate(cls, sample: Vectors) -> Self:
        """Learn from a sample `[texts, width]`; one that learns nothing reads the width only."""

    @classmethod
    def restore(cls, width: int, calibration: Calibration) -> Self:
        """Make the codec again that gave this calibration; refuse arrays that it did not write for this width."""

    @property
    def width(self) -> int:
        """Numbers in a vector."""

    @property
    def cells(self) -> int:
        """Numbers of `dtype` in a stored row."""

    @property
    def row_bytes(self) -> int:
        """Bytes of a stored row."""

    @property
    def calibration_digest(self) -> str:
        """Hash of the calibration, 32 hexadecimal digits; "" if nothing was learned."""

    def calibration(self) -> Calibration:
        """Return what was learned, to be stored; empty if nothing was."""

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


_CODECS: dict[str, type[Codec]] = {}

AnyCodec = TypeVar("AnyCodec", bound=Codec)


def register(codec: type[AnyCodec]) -> type[AnyCodec]:
    """Make a codec known by its name; a decorator for its class.

    Register a codec of your own before you open a bank that has columns of it. Its name stands in the recipe of these
    columns: a codec that writes other bytes needs another name.

    Raises:
        UsageError: a name that no codec can have, or that another codec has.
    """
    if not _NAME.fullmatch(codec.name):
        raise UsageError(f"{codec.name!r} is no name for a codec: use small letters and digits")
    other = _CODECS.setdefault(codec.name, codec)
    if (other.__module__, other.__qualname__) != (codec.__module__, codec.__qualname__):
        raise UsageError(f"codec {codec.name!r} is registered already, by {other.__module__}: give yours another name")
    _CODECS[codec.name] = codec
    return codec


def codec_names() -> tuple[str, ...]:
    """Names of all codecs, from most to fewest bits per number."""
    return tuple(sorted(_CODECS, key=lambda name: (-_CODECS[name].bits_per_number, name)))


def codec_class(name: str) -> type[Codec]:
    """The class of a codec.

    Raises:
        UsageError: an unknown name.
    """
    if name not in _CODECS:
        raise UsageError(f"unknown codec {name!r}; known are {', '.join(codec_names())}")
    return _CODECS[name]
