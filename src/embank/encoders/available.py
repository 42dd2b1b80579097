"""The encoders that can be used on this machine: the default, those in the hub's cache, and folders that are named."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from embank.encoders.load import DEFAULT, Located, locate, locate_all
from embank.errors import EmbankError
from embank.optional import is_installed, load


@dataclass(kw_only=True, frozen=True)
class Available:
    """An encoder that can be used: its name, shape, and where it comes from."""

    name: str
    family: str
    width: int
    layers: int
    max_tokens: int
    pooling: str
    origin: str


def available_encoders(folders: Sequence[Path] = ()) -> list[Available]:
    """List encoders that can be used without a download.

    Raises:
        EncoderError: a folder that was named is no encoder.
    """
    found = []
    try:
        found.append(_described(locate(DEFAULT, local_files_only=True)))
    except EmbankError as absent:
        found.append(
            Available(
                name=DEFAULT,
                family="bert",
                width=384,
                layers=6,
                max_tokens=256,
                pooling="mean",
                origin=f"not here: {absent}",
            )
        )
    for spec in _cached():
        try:
            found.append(_described(locate(spec, local_files_only=True)))
        except EmbankError:
            continue  # the cache holds whatever else was downloaded: generators, data sets, broken snapshots
    return found + [_described(one) for folder in folders for one in locate_all(str(folder))]


def backends() -> dict[str, str]:
    """Each backend's version, or how to install it."""
    return {
        name: version(name) if is_installed(name) else f"not installed: pip install 'embank[{name}]'"
        for name in ("torch", "openvino")
    }


def _described(located: Located) -> Available:
    own = located.folder.own
    pooling = "none" if own is None else "+".join((*own.modes, *("dense" for _ in own.dense), *(["unit"] * own.unit)))
    origin = str(located.folder.path) if located.origin == DEFAULT else located.origin
    return Available(
        name=located.name,
        family=located.folder.family,
        width=located.width,
        layers=located.layers,
        max_tokens=located.reading.max_tokens,
        pooling=pooling,
        origin=origin,
    )


def _cached() -> list[str]:
    if not is_installed("huggingface_hub"):
        return []
    hub = load("huggingface_hub", "torch")
    try:
        repositories = hub.scan_cache_dir().repos
    except Exception:  # noqa: BLE001 - no cache, or one that the hub's own library cannot read: nothing is cached
        return []
    return sorted(entry.repo_id for entry in repositories if entry.repo_type == "model")
