"""A folder of prefixes: its encoder, by digest, and one prefix per source task.

`trunk.json` (its name in format version 1) names the encoder; `prefixes/NAME.safetensors` holds keys and values,
`prefixes/NAME.json` their digest and how they were trained. Nothing here needs torch.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from safetensors.numpy import load_file, save

from embank.atomic import whole_file, whole_folder
from embank.errors import EncoderError, UsageError
from embank.recipe import valid_name

TOGETHER, APART = "together", "apart"
COMBINATIONS = (TOGETHER, APART)
"""All prefixes in one pass, or a pass for each."""

_JOINED = "shares"
"""How attention joins several prefixes (see `prefixed`): part of their digest, since it decides what states are."""

_REFERENCE = "trunk.json"
_FOLDER = "prefixes"
_KIND = "prefixes"
_VERSION = 1

PrefixArray = Float32[np.ndarray, "layers length width"]


@dataclass(kw_only=True, frozen=True)
class StoredPrefix:
    """One prefix of a folder.

    Attributes:
        name: of its source task.
        path: of its keys and values.
        digest: of these and of the layer that they begin at.
        length: its number of positions.
        from_layer: layers below it have none.
        record: how it was trained.
    """

    name: str
    path: Path
    digest: str
    length: int
    from_layer: int
    record: Mapping[str, Any]

    def arrays(self) -> tuple[PrefixArray, PrefixArray]:
        """Keys and values.

        Raises:
            EncoderError: the file cannot be read, or holds others than its record says.
        """
        try:
            found = load_file(self.path)
            keys, values = found["keys"], found["values"]
        except (OSError, ValueError, KeyError) as fault:
            raise EncoderError(f"{self.path} cannot be read: {fault}") from fault
        if digest_of(keys, values, self.from_layer) != self.digest:
            raise EncoderError(f"{self.path} holds another prefix than {self.name}.json says: train it again")
        return keys, values


@dataclass(kw_only=True, frozen=True)
class EncoderReference:
    """The encoder that the prefixes of a folder were trained on.

    Attributes:
        encoder: where it is, as `locate` takes it.
        weights: their digest.
        tokenizer: its digest.
        layers: how many it has.
        width: dimensions of a state.
        combine: TOGETHER or APART: how its prefixes are read by default.
    """

    encoder: str
    weights: str
    tokenizer: str
    layers: int
    width: int
    combine: str = APART

    def __post_init__(self) -> None:
        """Refuse an unknown combination."""
        if self.combine not in COMBINATIONS:
            raise UsageError(f"unknown way to read prefixes {self.combine!r}; choose from: {', '.join(COMBINATIONS)}")


@dataclass(frozen=True)
class PrefixFolder:
    """A folder of prefixes that was read.

    Attributes:
        path: the folder.
        reference: its encoder.
        prefixes: by name, in their order.
    """

    path: Path
    reference: EncoderReference
    prefixes: tuple[StoredPrefix, ...]

    def named(self, name: str) -> StoredPrefix:
        """One prefix.

        Raises:
            UsageError: no such prefix.
        """
        for prefix in self.prefixes:
            if prefix.name == name:
                return prefix
        known = ", ".join(prefix.name for prefix in self.prefixes) or "none yet"
        raise UsageError(f"{self.path} has no prefix {name!r}; it has: {known}")


def is_prefix_folder(path: Path) -> bool:
    """Whether a folder holds prefixes."""
    return (path / _REFERENCE).is_file()


def create_prefix_folder(path: Path, reference: EncoderReference) -> None:
    """Make a folder without prefixes.

    Raises:
        UsageError: the path exists.
    """
    if path.exists():
        raise UsageError(f"{path} exists and is no prefix folder: name a new folder")
    with whole_folder(path) as begun:
        (begun / _FOLDER).mkdir(parents=True)
        _write_json(begun / _REFERENCE, {"kind": _KIND, "version": _VERSION, **asdict(reference)})


def read_prefix_folder(path: Path) -> PrefixFolder:
    """Read a folder's reference and records; keys and values are read when they are wanted.

    Raises:
        UsageError: it is no prefix folder.
        EncoderError: a file cannot be read, or was made by a newer Embank.
    """
    if not is_prefix_folder(path):
        raise UsageError(f"{path} is no prefix folder: it has no {_REFERENCE}; embank prefix add makes one")
    content = _read_json(path / _REFERENCE)
    if content.pop("kind", None) != _KIND or content.pop("version", 0) != _VERSION:
        raise EncoderError(f"{path / _REFERENCE} is of a kind or version that this Embank does not read")
    try:
        reference = EncoderReference(**content)
        found = [_read_prefix(file) for file in sorted((path / _FOLDER).glob("*.json"))]
    except (TypeError, KeyError) as fault:
        raise EncoderError(f"a record of {path} lacks or has a strange entry: {fault}") from fault
    return PrefixFolder(path, reference, tuple(found))


def put_prefix(
    path: Path, name: str, arrays: tuple[PrefixArray, PrefixArray], from_layer: int, record: Mapping[str, Any]
) -> StoredPrefix:
    """Write one prefix, replacing one of the same name; all others stay as they are.

    Args:
        path: the folder of prefixes.
        name: of the source task.
        arrays: keys and values.
        from_layer: the layer that they begin at.
        record: how they were trained.

    Raises:
        UsageError: an invalid name.
    """
    valid_prefix_name(name)
    keys, values = (np.ascontiguousarray(part, np.float32) for part in arrays)
    folder = path / _FOLDER
    folder.mkdir(exist_ok=True)
    weights, written = folder / f"{name}.safetensors", folder / f"{name}.json"
    digest = digest_of(keys, values, from_layer)
    described = {"digest": digest, "length": keys.shape[1], "from_layer": from_layer, "record": dict(record)}
    with whole_file(weights) as partial:
        partial.write_bytes(save({"keys": keys, "values": values}))
    with whole_file(written) as partial:  # a record whose digest is another's is refused: a kill here mixes nothing up
        _write_json(partial, described)
    return _read_prefix(written)


def drop_prefix(path: Path, name: str) -> StoredPrefix:
    """Remove one prefix and its files; returns what its record said.

    Raises:
        UsageError: no such prefix.
    """
    gone = read_prefix_folder(path).named(name)
    (path / _FOLDER / f"{name}.json").unlink()
    gone.path.unlink(missing_ok=True)
    return gone


def digest_of(keys: PrefixArray, values: PrefixArray, from_layer: int) -> str:
    """What decides the states that a prefix makes, 32 hexadecimal digits."""
    digest = blake2b(repr((keys.shape, from_layer)).encode(), digest_size=16)
    for part in (keys, values):
        digest.update(np.ascontiguousarray(part, "<f4").tobytes())
    return digest.hexdigest()


def digest_together(prefixes: Sequence[StoredPrefix]) -> str:
    """The digest of prefixes in one pass: names and order have no part in it; that of a single one is its own."""
    digests = sorted(prefix.digest for prefix in prefixes)
    return digests[0] if len(digests) == 1 else blake2b(repr((_JOINED, digests)).encode(), digest_size=16).hexdigest()


def valid_prefix_name(name: str) -> str:
    """Return a name that a prefix may have.

    Raises:
        UsageError: it may not.
    """
    if name in COMBINATIONS:
        raise UsageError(f"{name!r} is no name for a prefix: it says how prefixes are read")
    return valid_name(name, "a prefix")


def _read_prefix(file: Path) -> StoredPrefix:
    content = _read_json(file)
    weights = file.with_name(f"{file.stem}.safetensors")
    return StoredPrefix(
        name=file.stem,
        path=weights,
        digest=content["digest"],
        length=int(content["length"]),
        from_layer=int(content["from_layer"]),
        record=content["record"],
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise EncoderError(f"{path} cannot be read: {fault}") from fault
    if not isinstance(content, dict):
        raise EncoderError(f"{path} is no record: found {type(content).__name__}")
    return content


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
