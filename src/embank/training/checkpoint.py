"""A checkpoint: all that decides how training goes on, in one safetensors file that is whole or absent."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from embank.atomic import write_durably
from embank.training.precision import Dtype

Tensors = dict[str, torch.Tensor]


@dataclass
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


@dataclass(frozen=True, eq=False)
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
        notes = {"identity": self.identity, "position": json.dumps(asdict(self.position))}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, save(tensors, notes | {"digest": _digest(notes, tensors)}))

    @classmethod
    def read(cls, path: Path, identity: str) -> "Checkpoint | None":
        """Read the checkpoint of this training; None where there is none, another training's, or a damaged one."""
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                notes = file.metadata() or {}
                if notes.get("identity") != identity:
                    return None
                found: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if notes.pop("digest", "") != _digest(notes, found):
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
        return cls(identity, position, random=found["random"], **groups)


_GROUPS = ("weights", "moments", "best")


def _digest(notes: Mapping[str, str], tensors: Tensors) -> str:
    """Of all that a checkpoint says: safetensors itself does not notice a flipped bit."""
    digest = blake2b(json.dumps(sorted(notes.items())).encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
