"""Read or recompute states: their size, the speed of this disk, and the speed of the lower layers.

Recomputing k layers of width d costs about 24 d^2 k operations per token, reading 2 d bytes at float16: which is faster
depends on the processor and the disk (2207.04993 has both outcomes), so both are measured where the bank lies.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embank.atomic import storage_errors
from embank.codecs import calibrate
from embank.encode.batch_encode import encode_texts
from embank.encode.columns import readout_of
from embank.encoders import Encoder
from embank.errors import UsageError
from embank.recipe import ColumnName
from embank.texts import Text

SAMPLE = 128
"""Texts that the lower layers are timed on."""

_PROBE_BYTES = 96 << 20
"""Bytes of the file that is read: enough that a disk's own cache does not hold it."""

_LEAST_SECONDS = 1e-9
_MEGA = 1e6


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was measured.

    Attributes:
        column: the states in question.
        read: texts per second from this disk, decoded, nothing of them in memory before.
        recompute: texts per second through the lower layers.
        text_bytes: bytes of a text's states.
        bandwidth: bytes per second of the disk, in blocks of a text.
    """

    column: str
    read: float
    recompute: float
    text_bytes: float
    bandwidth: float

    @property
    def banks(self) -> bool:
        """Whether storing states pays."""
        return self.read > self.recompute

    @property
    def factor(self) -> float:
        """How many times the faster way is faster."""
        slower, faster = sorted((self.read, self.recompute))
        return faster / max(slower, _LEAST_SECONDS)

    def __str__(self) -> str:
        wins = "bank them" if self.banks else "do not bank states"
        return (
            f"{self.column}: reading {self.read:,.0f} texts/s from this disk ({self.bandwidth / _MEGA:,.0f} MB/s), "
            f"recomputing {self.recompute:,.0f} texts/s: {wins}, {self.factor:,.1f} times faster; "
            f"{self.text_bytes / 1000:,.1f} kB per text, {self.text_bytes / 1000:,.1f} GB per million"
        )


def weigh(encoder: Encoder, column: ColumnName, texts: Sequence[Text], folder: Path) -> Verdict:
    """Measure both ways.

    Args:
        encoder: the one that would fill the column.
        column: of states.
        texts: some of the user's; the first SAMPLE are encoded.
        folder: where the bank lies; a probe of some 100 MB is written there for a moment.

    Raises:
        UsageError: no texts, or none that can be encoded.
        StorageFullError: no space for the probe.
    """
    sample = list(texts[:SAMPLE])
    readout = readout_of(column)
    if sample:
        encode_texts(encoder, sample, [readout])  # kernels are compiled in the first pass
    started = time.perf_counter()
    encoded = encode_texts(encoder, sample, [readout])
    recompute = len(sample) / max(time.perf_counter() - started, _LEAST_SECONDS)
    blocks = [block for block in encoded.states[readout] if len(block)]
    if not blocks:
        raise UsageError("no text could be encoded, so states cannot be weighed: give texts, or --states none")
    codec = calibrate(column.codec, np.concatenate(blocks))
    rows = codec.encode(np.concatenate(blocks))
    text_bytes = rows.nbytes / len(blocks)
    bandwidth = _bandwidth(folder, max(1, int(text_bytes)))
    started = time.perf_counter()
    codec.decode(rows)
    decoding = (time.perf_counter() - started) / len(blocks)
    read = 1 / (text_bytes / bandwidth + decoding)
    return Verdict(column=str(column), read=read, recompute=recompute, text_bytes=text_bytes, bandwidth=bandwidth)


def _bandwidth(folder: Path, block: int) -> float:
    """Bytes per second in blocks at random places of a file that is not in memory."""
    probe = folder / f"probe-{os.getpid()}.tmp"
    size = max(_PROBE_BYTES // block, 1) * block
    random = np.random.default_rng(0)
    try:
        with storage_errors(probe.name):
            descriptor = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            try:
                chunk = random.bytes(min(size, 1 << 24))
                for _ in range(-(-size // len(chunk))):
                    os.write(descriptor, chunk)
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                places = random.permutation(size // block)
                started = time.perf_counter()
                for place in places:
                    os.pread(descriptor, block, int(place) * block)
                return size / max(time.perf_counter() - started, _LEAST_SECONDS)
            finally:
                os.close(descriptor)
    finally:
        probe.unlink(missing_ok=True)
