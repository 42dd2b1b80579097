"""Which backend and precision an encoder runs in: the one asked for, or the fastest that is near enough to float32.

The choice is measured once per encoder and machine, on a sample of texts, and remembered.
"""

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np

from embank.arrays import Vectors
from embank.atomic import whole_file
from embank.encoders import Encoder, Readout
from embank.encoders.batching import batches
from embank.encoders.load import Located, open_encoder
from embank.errors import UsageError
from embank.optional import is_installed, load
from embank.samples import messages
from embank.texts import Text

_log = logging.getLogger(__name__)

TOLERANCE = 0.999
"""The lowest cosine to float32 that a faster precision may have, over a sample and all readouts."""

SAMPLE = 96
"""Texts that are timed."""

LOADING: Final = "loading the encoder"
TRYING: Final = "trying backends"
"""Phases of opening an encoder, as they are shown."""

WORTH_MEASURING = 1000
"""Fewer texts than this are encoded in float32 before a faster way could be measured."""

BACKENDS = ("torch", "openvino")
DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class ComputeOptions:
    """Where and how precisely to compute.

    Attributes:
        backend: "torch" or "openvino", None for the faster one.
        dtype: "float32", "bfloat16" or "float16", None for the fastest within tolerance of float32.
        cache: folder for converted graphs and remembered measurements; None is `.cache/embank` in the home folder.
    """

    backend: str | None = None
    dtype: str | None = None
    cache: Path | None = None

    def __post_init__(self) -> None:
        """Refuse words that are not known."""
        if self.backend not in (None, *BACKENDS):
            raise UsageError(f"unknown backend {self.backend!r}; choose from: {', '.join(BACKENDS)}")
        if self.dtype not in (None, *DTYPES):
            raise UsageError(f"unknown compute precision {self.dtype!r}; choose from: {', '.join(DTYPES)}")

    @property
    def folder(self) -> Path:
        """Where graphs and measurements are kept."""
        return self.cache or Path.home() / ".cache" / "embank"


@dataclass(kw_only=True, frozen=True)
class Compute:
    """A backend and precision, and what was measured.

    Attributes:
        backend: "torch" or "openvino".
        dtype: "float32", "bfloat16" or "float16".
        cosine: the lowest cosine to torch float32 over the sample; 1 if nothing was compared.
        speed: texts per second on the sample, 0 if nothing was timed.
        unmeasured: whether the choice was not measured, since a few texts are not worth it.
    """

    backend: str
    dtype: str
    cosine: float = 1.0
    speed: float = 0.0
    unmeasured: bool = False

    def __str__(self) -> str:
        measured = f", cosine to float32 {self.cosine:.5f}, {self.speed:,.0f} texts/s on a sample" if self.speed else ""
        return f"{self.backend} {self.dtype}{measured}"


def open_fastest(
    located: Located,
    options: ComputeOptions,
    texts: Sequence[Text],
    readouts: Sequence[Readout],
    enter: Callable[[str], None] = lambda _: None,
) -> tuple[Encoder, Compute]:
    """Open an encoder, measuring first unless a backend is named or a choice is remembered.

    Raises:
        ExtraMissingError: torch, or the named backend, is not installed.
        EncoderError: the encoder cannot be loaded.
    """
    enter(LOADING)
    load("torch", "torch")  # named by its install line before anything else is tried
    candidates = _candidates(options)
    if located.prefixes:
        candidates = [pair for pair in candidates if pair[0] == "torch"]
        if not candidates:
            raise UsageError(f"{located.name} has trained prefixes, which run in torch alone: leave out the backend")
    if len(candidates) == 1:
        backend, dtype = candidates[0]
        return open_encoder(located, backend, dtype, options.folder), Compute(backend=backend, dtype=dtype)
    key = _key(located, candidates)
    choice = remembered(options.folder, key)
    if choice and (choice.backend, choice.dtype) not in candidates:
        choice = None
    if choice is None and len(texts) < WORTH_MEASURING:
        backend, dtype = candidates[0]
        return open_encoder(located, backend, dtype, options.folder), Compute(
            backend=backend, dtype=dtype, unmeasured=True
        )
    opened: dict[tuple[str, str], Encoder] = {}

    def load_one(backend: str, dtype: str) -> Encoder:
        opened[backend, dtype] = open_encoder(located, backend, dtype, options.folder)
        return opened[backend, dtype]

    if choice is None:
        enter(TRYING)
        sample = [*texts[:: max(1, len(texts) // SAMPLE)][:SAMPLE], *messages()][:SAMPLE]
        choice, measured = choose(load_one, candidates, sample, readouts)
        remember(options.folder, key, choice, measured)
    pair = (choice.backend, choice.dtype)
    return opened.get(pair) or load_one(*pair), choice


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
        speed = round(len(sample) / seconds, 1)
        measured.append(Compute(backend=backend, dtype=dtype, cosine=round(cosine, 6), speed=speed))
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


def _candidates(options: ComputeOptions) -> list[tuple[str, str]]:
    """The candidates: torch alone on a GPU; on a CPU OpenVINO too, if it is installed."""
    on_gpu = bool(load("torch", "torch").cuda.is_available())
    offered = [("torch", "float32"), ("torch", "bfloat16")]
    if on_gpu:
        offered.append(("torch", "float16"))
    elif is_installed("openvino") or options.backend == "openvino":
        offered += [("openvino", "float32"), ("openvino", "bfloat16")]
    fitting = [
        (backend, dtype)
        for backend, dtype in offered
        if options.backend in (None, backend) and options.dtype in (None, dtype)
    ]
    if not fitting and options.backend == "torch" and options.dtype:
        return [(options.backend, options.dtype)]
    if not fitting:
        raise UsageError(f"{options.backend or 'this machine'} does not compute in {options.dtype}")
    return fitting


def _key(located: Located, candidates: Sequence[tuple[str, str]]) -> str:
    torch = load("torch", "torch")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else machine()
    own = () if located.reading.prefix is None else (located.reading.prefix,)
    parts = (located.reading.weights, *own, device, torch.__version__, *(f"{b}/{d}" for b, d in candidates))
    return blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()
