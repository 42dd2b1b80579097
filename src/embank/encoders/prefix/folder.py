"""A folder of prefixes: its encoder, by digest, and one prefix per source task.

`trunk.json` names the encoder; `prefixes/NAME.safetensors` holds keys and values, `prefixes/NAME.json` their digest and
how they came about. Nothing here needs torch.
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

_TRUNK = "trunk.json"
_FOLDER = "prefixes"
_KIND = "prefixes"
_VERSION = 1

PrefixArray = Float32[np.ndarray, "layers length width"]


@dataclass(frozen=True)
class StoredPrefix:
    """One prefix of a trunk.

    Attributes:
        name: of its source task.
        path: of its keys and values.
        digest: of these and of the layer that they begin at.
        length: positions.
        from_layer: layers below it have none.
        record: how it came about.
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


@dataclass(frozen=True)
class TrunkReference:
    """The encoder that a prefix trunk stands on.

    Attributes:
        encoder: where it is, as `locate` takes it.
        weights: their digest.
        tokenizer: its digest.
        layers: how many it has.
        width: dimensions of a state.
        combine: TOGETHER or APART: how its prefixes are read where nothing else is said.
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
class PrefixTrunk:
    """A prefix trunk that was read.

    Attributes:
        path: the folder.
        reference: its encoder.
        prefixes: by name, in their order.
    """

    path: Path
    reference: TrunkReference
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


def is_prefix_trunk(path: Path) -> bool:
    """Whether a folder is a prefix trunk."""
    return (path / _TRUNK).is_file()


def create_prefix_trunk(path: Path, reference: TrunkReference) -> None:
    """Make a trunk without prefixes.

    Raises:
        UsageError: something else is there.
    """
    if path.exists():
        raise UsageError(f"{path} is there already, and is no prefix trunk: name a folder that is not there")
    with whole_folder(path) as begun:
        (begun / _FOLDER).mkdir(parents=True)
        _write_json(begun / _TRUNK, {"kind": _KIND, "version": _VERSION, **asdict(reference)})


def read_prefix_trunk(path: Path) -> PrefixTrunk:
    """Read a trunk's reference and records; keys and values are read when they are wanted.

    Raises:
        UsageError: it is none.
        EncoderError: a file cannot be read, or was made by a newer Embank.
    """
    if not is_prefix_trunk(path):
        raise UsageError(f"{path} is no prefix trunk: it has no {_TRUNK}; embank prefix add makes one")
    content = _read_json(path / _TRUNK)
    if content.pop("kind", None) != _KIND or content.pop("version", 0) != _VERSION:
        raise EncoderError(f"{path / _TRUNK} is of a kind or version that this Embank does not read")
    try:
        reference = TrunkReference(**content)
        found = [_read_prefix(file) for file in sorted((path / _FOLDER).glob("*.json"))]
    except (TypeError, KeyError) as fault:
        raise EncoderError(f"a record of {path} lacks or has a strange entry: {fault}") from fault
    return PrefixTrunk(path, reference, tuple(found))


def put_prefix(
    path: Path, name: str, arrays: tuple[PrefixArray, PrefixArray], from_layer: int, record: Mapping[str, Any]
) -> StoredPrefix:
    """Write one prefix, in the place of the one of that name where there is one; all others stay as they are.

    Args:
        path: the trunk's folder.
        name: of the source task.
        arrays: keys and values.
        from_layer: the layer that they begin at.
        record: how they came about.

    Raises:
        UsageError: a name that is no name.
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
    """Remove one prefix, without a trace; returns what its record said.

    Raises:
        UsageError: no such prefix.
    """
    gone = read_prefix_trunk(path).named(name)
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
        file.stem, weights, content["digest"], int(content["length"]), int(content["from_layer"]), content["record"]
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
