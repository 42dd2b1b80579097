"""The contract of codecs: vectors to stored rows and back, with a stated error, the same bytes alone as in a batch.

A codec is a frozen value. It is calibrated once, on a sample; what it learned there is stored with the column, and
`restore` makes the same codec of it. Prediction need not decode at all: `fold` moves the codec's arithmetic into the
weights of a linear head, which then reads `raw` rows.

```
float32   4 bytes per number      exact
float16   2 bytes per number      relative error at most 2**-11; beyond +-65504 clipped
int8      1 byte per number       at most half a step inside the calibrated range; a step is 1/254 of that range
int4      4 bits per number       at most half a step inside the calibrated range; a step is 1/15 of that range
binary    1 bit per number      least squares over the sample; no bound for a single number
```

>>> import numpy as np
>>> sample = np.random.default_rng(0).normal(size=(100, 12)).astype(np.float32)
>>> codec = calibrate("binary", sample)
>>> codec.encode(sample).shape, codec.dtype
((100, 2), dtype('uint8'))
>>> restore("binary", 12, codec.calibration()).calibration_digest == codec.calibration_digest
True
"""

from embank.arrays import Vectors
from embank.codecs.binary import Binary
from embank.codecs.calibration import Calibration
from embank.codecs.floats import Float16, Float32
from embank.codecs.int4 import Int4
from embank.codecs.int8 import Int8
from embank.codecs.registry import Codec, codec_class, codec_names, register

__all__ = [
    "Binary",
    "Calibration",
    "Codec",
    "Float16",
    "Float32",
    "Int4",
    "Int8",
    "calibrate",
    "codec_class",
    "codec_names",
    "register",
    "restore",
]


def calibrate(name: str, sample: Vectors) -> Codec:
    """Learn a codec from a sample of vectors, once, before the first row is written.

    Args:
        name: one of `codec_names()`.
        sample: `[texts, width]`; a codec that learns nothing reads only its width, so there it may be empty.

    Raises:
        UsageError: an unknown name; an empty sample where something has to be learned; NaN or infinity.
    """
    return codec_class(name).calibrate(sample)


def restore(name: str, width: int, calibration: Calibration) -> Codec:
    """Make a codec again from what its `calibration()` returned.

    Raises:
        UsageError: an unknown name, or arrays that this codec did not write for this width.
    """
    return codec_class(name).restore(width, calibration)
