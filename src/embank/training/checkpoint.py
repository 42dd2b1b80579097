"""A checkpoint: the whole state of a training, in one safetensors file that is whole or absent."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from embank.atomic import write_durably
from embank.errors import HeadError
from embank.training.precision import Dtype

Tensors = dict[str, torch.Tensor]

FORMAT_VERSION = "2"

_SECONDS = 60.0
"""Between two checkpoints of a pass: a killed training loses about a minute."""


@dataclass(kw_only=True)
class Position:
    """Where training stands.

    Attributes:
        step: optimiser steps taken.
        epoch: passes over the examples that are finished.
        batch: steps of the running pass that are finished.
        best: the best validation score so far.
        best_epoch: after which pass it was reached.
        scores: of every finished pass.
        losses: mean training loss of every finished pass.
        loss_sum: of the running pass.
        seconds: spent so far.
        dtype: that it computes in.
        first: scores of output layers that were learned before anything else was trained, by name.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    best: float = -float("inf")
    best_epoch: int = 0
    scores: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()
    loss_sum: float = 0.0
    seconds: float = 0.0
    dtype: Dtype = "float32"
    first: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Checkpoint:
    """A moment of training.

    Attributes:
        identity: digest of the settings, the examples and what is trained; another identity is another training.
        position: where it stands.
        weights: of what is trained.
        moments: of the optimiser, by name.
        best: weights of the best pass so far; empty before the first.
        random: torch's generator.
    """

    identity: str
    position: Position
    weights: Tensors
    moments: Tensors
    best: Tensors
    random: torch.Tensor

    def write(self, path: Path) -> None:
        """Write it durably in the place of an older one.

        Raises:
            StorageFullError: no space is left; the older one is kept.
        """
        tensors = {"random": self.random}
        for group in _GROUPS:
            tensors |= {f"{group}.{name}": tensor.cpu().contiguous() for name, tensor in getattr(self, group).items()}
        position = json.dumps(asdict(self.position))
        notes = {"format_version": FORMAT_VERSION, "identity": self.identity, "position": position}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, save(tensors, notes | {"digest": _digest(notes, tensors)}))

    @classmethod
    def read(cls, path: Path, identity: str) -> "Checkpoint | None":
        """Read the checkpoint of this training; None if it is missing, damaged, or another training's.

        Raises:
            HeadError: it was written by another version of embank.
        """
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                notes = file.metadata() or {}
                found: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if notes.pop("digest", "") != _digest(notes, found):
                return None
            if notes.get("format_version") != FORMAT_VERSION and "identity" in notes:
                raise HeadError(
                    f"{path} is a checkpoint of another version of embank, from which training cannot go on: "
                    f"delete it (rm {path}) and give the same command again to start from the beginning"
                )
            if notes.get("identity") != identity:
                return None
            fields = json.loads(notes["position"])
            position = Position(**fields | {"scores": tuple(fields["scores"]), "losses": tuple(fields["losses"])})
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            return None  # what cannot be read is trained again
        groups = {
            group: {
                name.removeprefix(f"{group}."): tensor for name, tensor in found.items() if name.startswith(f"{group}.")
            }
            for group in _GROUPS
        }
        return cls(identity=identity, position=position, random=found["random"], **groups)


@dataclass(frozen=True)
class CheckpointFile:
    """Where a training keeps its checkpoint.

    Attributes:
        path: of the file.
        identity: digest of all that decides the outcome; see `training_identity`.
        seconds: how often it is written; at the end of a pass in any case.
    """

    path: Path
    identity: str
    seconds: float = _SECONDS

    def read(self) -> Checkpoint | None:
        """The checkpoint of this training, if there is one; see `Checkpoint.read`."""
        return Checkpoint.read(self.path, self.identity)


def checkpoint_file(path: Path | None, identity: str) -> CheckpointFile | None:
    """Where to keep checkpoints of a training; None if `path` is None."""
    return None if path is None else CheckpointFile(path, identity)


def training_identity(parts: Mapping[str, Any]) -> str:
    """Digest of all that decides the outcome of a training.

    Args:
        parts: settings, digests of weights, texts, labels: whatever JSON can write, and dataclasses.

    >>> training_identity({"seed": 0, "weights": "ab"}) == training_identity({"weights": "ab", "seed": 0})
    True
    """
    written = json.dumps(parts, sort_keys=True, ensure_ascii=False, allow_nan=False, default=_fields)
    return blake2b(written.encode(), digest_size=16).hexdigest()


def _fields(value: Any) -> dict[str, Any]:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} cannot be part of the identity of a training")


_GROUPS = ("weights", "moments", "best")


def _digest(notes: Mapping[str, str], tensors: Tensors) -> str:
    """Digest of a checkpoint's content: safetensors itself does not notice a flipped bit."""
    digest = blake2b(json.dumps(sorted(notes.items())).encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
