"""Which backend and precision to compute in: the fastest on this machine that stays within tolerance of float32."""

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from embank.arrays import Vectors
from embank.atomic import whole_file
from embank.encoders import Encoder, Readout
from embank.encoders.batching import batches
from embank.texts import Text

_log = logging.getLogger(__name__)

TOLERANCE = 0.999
"""The lowest cosine to float32 that a faster precision may have, over a sample and all readouts."""

SAMPLE = 96
"""Texts that are timed."""


@dataclass(frozen=True)
class Compute:
    """A backend and precision, and what was measured.

    Attributes:
        backend: "torch" or "openvino".
        dtype: "float32", "bfloat16" or "float16".
        cosine: the lowest cosine to torch float32 over the sample; 1 where nothing was compared.
        speed: texts per second on the sample, 0 where nothing was timed.
        unmeasured: whether there was a choice that was not worth measuring for a few texts.
    """

    backend: str
    dtype: str
    cosine: float = 1.0
    speed: float = 0.0
    unmeasured: bool = False

    def __str__(self) -> str:
        measured = f", cosine to float32 {self.cosine:.5f}, {self.speed:,.0f} texts/s on a sample" if self.speed else ""
        return f"{self.backend} {self.dtype}{measured}"


def choose(
    opened: Callable[[str, str], Encoder],
    candidates: Sequence[tuple[str, str]],
    texts: Sequence[Text],
    readouts: Sequence[Readout],
) -> tuple[Compute, list[Compute]]:
    """Time candidates on a sample of texts, in turn, and take the fastest within tolerance.

    Args:
        opened: loads an encoder for a backend and precision.
        candidates: backends and precisions; torch in float32 is always measured first, as the reference.
        texts: what the user encodes; the first SAMPLE are timed.
        readouts: what will be taken.

    Returns:
        The choice, and everything that was measured.
    """
    sample = list(texts[:SAMPLE])
    measured: list[Compute] = []
    reference: list[Vectors] = []
    for backend, dtype in (("torch", "float32"), *(pair for pair in candidates if pair != ("torch", "float32"))):
        try:
            encoder = opened(backend, dtype)
            _pass(encoder, sample, readouts)  # kernels are compiled in the first pass
            start = time.perf_counter()
            found = _pass(encoder, sample, readouts)
            seconds = time.perf_counter() - start
        except Exception as fault:
            if not reference:
                raise
            _log.debug("%s %s is out: %s", backend, dtype, fault)  # not every model converts; the reference runs
            continue
        cosine = _lowest_cosine(found, reference) if reference else 1.0
        reference = reference or found
        measured.append(Compute(backend, dtype, round(cosine, 6), round(len(sample) / seconds, 1)))
    offered = [compute for compute in measured if (compute.backend, compute.dtype) in candidates]
    fit = [compute for compute in offered or measured if compute.cosine >= TOLERANCE] or measured[:1]
    return max(fit, key=lambda compute: compute.speed), measured


def remembered(cache: Path, key: str) -> Compute | None:
    """The choice that was made for an encoder on this machine before."""
    path = _choice_path(cache, key)
    if not path.is_file():
        return None
    try:
        choice = Compute(**json.loads(path.read_text())["choice"])
        return choice if float(choice.cosine) >= TOLERANCE and float(choice.speed) > 0 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # measured again rather than trusted


def remember(cache: Path, key: str, choice: Compute, measured: Sequence[Compute]) -> None:
    """Keep a choice for this machine."""
    path = _choice_path(cache, key)
    record = {"choice": asdict(choice), "measured": [asdict(compute) for compute in measured]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            partial.write_text(json.dumps(record, indent=1))
    except OSError as fault:
        _log.warning("the choice of backend is not kept: %s", fault)  # it is made again by the next run


def machine() -> str:
    """What a measured choice depends on besides the encoder: processor and its cores."""
    return f"{platform.machine()}-{platform.processor()}-{processor()}-{os.cpu_count()}"


def _choice_path(cache: Path, key: str) -> Path:
    return cache / f"compute-{key}.json"


def processor() -> str:
    """The name of the processor, where the system says it."""
    described = Path("/proc/cpuinfo")
    if described.is_file():
        for line in described.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return ""


def _pass(encoder: Encoder, texts: Sequence[Text], readouts: Sequence[Readout]) -> list[Vectors]:
    """Vectors of the token rows of a few texts."""
    tokens = encoder.tokens(texts)
    found: Iterator[tuple[np.ndarray, list[Vectors]]] = (
        (rows, encoder.vectors(batch, readouts)) for rows, batch in batches(tokens, encoder.budget, encoder.padding)
    )
    outputs: list[list[tuple[np.ndarray, Vectors]]] = [[] for _ in readouts]
    lengths = np.array([len(ids) for ids in tokens.ids], np.int64)
    for rows, vectors in found:
        for output, vector in zip(outputs, vectors, strict=True):
            output.append((rows, vector))
    return [_in_order(parts, lengths) for parts in outputs]


def _in_order(parts: Sequence[tuple[np.ndarray, Vectors]], lengths: np.ndarray) -> Vectors:
    """Vectors in the order of their rows; states without their padding, one row per token."""
    by_row = {
        int(row): own[: lengths[row]] if own.ndim > 1 else own[None]
        for rows, vectors in parts
        for row, own in zip(rows, vectors, strict=True)
    }
    return np.concatenate([by_row[row] for row in range(len(lengths))])


def _lowest_cosine(ours: Sequence[Vectors], theirs: Sequence[Vectors]) -> float:
    """The lowest cosine of any row of any readout; -1 where a number is not finite."""
    lowest = 1.0
    for found, right in zip(ours, theirs, strict=True):
        if not np.isfinite(found).all():
            return -1.0
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(right, axis=1)
        lowest = min(lowest, float(((found * right).sum(1) / np.maximum(lengths, 1e-12)).min()))
    return lowest
