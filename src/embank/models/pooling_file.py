"""A learned pooling on disk: one safetensors file whose metadata names its columns; a digest is part of its name."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from embank.atomic import write_durably
from embank.errors import HeadError
from embank.models.pooling_design import PoolingDesign

FOLDER = "poolings"
"""The folder of a bank in which they lie."""

FORMAT_VERSION = 1
_SHOWN = 12
"""Digits of the digest that stand in a column's name."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredPooling:
    """A learned pooling as it is stored.

    Attributes:
        name: what the user called it.
        design: how states become vectors.
        sources: column of states for each layer, in the design's order, with the fingerprint of its recipe.
        width: dimensions of a state.
        skip: positions at the head of a text that pooling leaves out.
        weights: what was learned.
    """

    name: str
    design: PoolingDesign
    sources: Mapping[str, str]
    width: int
    skip: int
    weights: Mapping[str, torch.Tensor]

    @property
    def digest(self) -> str:
        """Of all that decides a vector: the learned weights, the design, and the recipes of the states it reads."""
        parts = [asdict(self.design), list(self.sources.values()), self.width, self.skip]
        digest = blake2b(json.dumps(parts).encode(), digest_size=16)
        for name, tensor in sorted(self.weights.items()):
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
            digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    @property
    def encoder(self) -> str:
        """The encoder part of its column's name: other weights, another column."""
        return f"{self.name}-{self.digest[:_SHOWN]}"


def keep(root: Path, pooling: StoredPooling) -> Path:
    """Write a pooling into the folder of a bank, durably; returns its file.

    Raises:
        StorageFullError: no space is left.
    """
    notes = {
        "format_version": FORMAT_VERSION,
        "name": pooling.name,
        "design": asdict(pooling.design),
        "sources": dict(pooling.sources),
        "width": pooling.width,
        "skip": pooling.skip,
        "digest": pooling.digest,
    }
    path = _path(root, pooling.encoder)
    path.parent.mkdir(exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in pooling.weights.items()}
    write_durably(path, save(tensors, {"pooling": json.dumps(notes)}))
    return path


def read(root: Path, encoder: str) -> StoredPooling:
    """Read a pooling back, by the encoder part of its column's name.

    Raises:
        HeadError: it is missing, of a newer format version, or damaged.
    """
    path = _path(root, encoder)
    if not path.is_file():
        there = ", ".join(sorted(other.stem for other in path.parent.glob("*.safetensors"))) or "none"
        raise HeadError(f"{root} keeps no learned pooling {encoder!r}; it has: {there}")
    try:
        with safe_open(path, framework="pt") as file:
            notes = json.loads((file.metadata() or {})["pooling"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        if notes["format_version"] > FORMAT_VERSION:
            raise HeadError(
                f"found a pooling of format version {notes['format_version']} in {path}, expected at most "
                f"{FORMAT_VERSION}; install a newer embank, or learn it again"
            )
        design = PoolingDesign(**notes["design"] | {"layers": tuple(notes["design"]["layers"])})
        sources, width, skip = notes["sources"], int(notes["width"]), int(notes["skip"])
        found = StoredPooling(
            name=notes["name"], design=design, sources=sources, width=width, skip=skip, weights=weights
        )
        if found.digest != notes["digest"]:
            raise HeadError(f"found other weights in {path} than were written there; learn the pooling again")
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as damage:
        raise HeadError(f"found a damaged pooling in {path} ({damage!r}); learn it again") from damage
    return found


def _path(root: Path, encoder: str) -> Path:
    return root / FOLDER / f"{encoder}.safetensors"
