"""Opening an encoder for a run: with the backend and precision asked for, remembered, or measured now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from embank.encoders import Encoder, Readout
from embank.encoders.backends import SAMPLE, Compute, choose, machine, remember, remembered
from embank.encoders.load import Located, open_encoder
from embank.errors import UsageError
from embank.optional import is_installed, load
from embank.samples import messages
from embank.texts import Text

LOADING: Final = "loading the encoder"
TRYING: Final = "trying backends"
"""Phases of opening an encoder, as they are shown."""

WORTH_MEASURING = 1000
"""Fewer texts than this are encoded in float32 sooner than a faster way to do it has been found."""

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
            raise UsageError(f"{self.backend!r} is no backend; there are: {', '.join(BACKENDS)}")
        if self.dtype not in (None, *DTYPES):
            raise UsageError(f"{self.dtype!r} is no compute precision; there are: {', '.join(DTYPES)}")

    @property
    def folder(self) -> Path:
        """Where graphs and measurements are kept."""
        return self.cache or Path.home() / ".cache" / "embank"


def open_fastest(
    located: Located,
    options: ComputeOptions,
    texts: Sequence[Text],
    readouts: Sequence[Readout],
    enter: Callable[[str], None] = lambda _: None,
) -> tuple[Encoder, Compute]:
    """Open an encoder, measuring first where nothing was asked for and nothing is remembered.

    Raises:
        ExtraMissingError: torch, or the backend asked for, is not installed.
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
        return open_encoder(located, backend, dtype, options.folder), Compute(backend, dtype)
    key = _key(located, candidates)
    choice = remembered(options.folder, key)
    if choice and (choice.backend, choice.dtype) not in candidates:
        choice = None
    if choice is None and len(texts) < WORTH_MEASURING:
        backend, dtype = candidates[0]
        return open_encoder(located, backend, dtype, options.folder), Compute(backend, dtype, unmeasured=True)
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


def _candidates(options: ComputeOptions) -> list[tuple[str, str]]:
    """What may be chosen from: on a GPU torch alone, on a CPU OpenVINO too where it is installed."""
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
