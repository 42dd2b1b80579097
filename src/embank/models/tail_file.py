"""A tail in the folder of a task: trained weights as safetensors, everything else as JSON; nothing is pickled."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from embank.errors import HeadError
from embank.models.tail_settings import TailDesign, TailOptions

FORMAT_VERSION = 1
WEIGHTS = "tail.safetensors"
DESCRIPTION = "tail.json"


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredTail:
    """A tail as a task's folder holds it.

    Attributes:
        design: what it is.
        seed: of its first weights, which what is not trained keeps.
        labels: names of its outputs.
        learned: temperature, offsets, scale.
        weights: what was trained.
    """

    design: TailDesign
    seed: int
    labels: tuple[str, ...]
    learned: Mapping[str, Any]
    weights: Mapping[str, torch.Tensor]


def pack_tail(tail: StoredTail) -> dict[str, bytes]:
    """The content of a tail's files, by name."""
    description = {
        "format_version": FORMAT_VERSION,
        "design": asdict(tail.design),
        "seed": tail.seed,
        "labels": list(tail.labels),
        "learned": dict(tail.learned),
    }
    text = json.dumps(description, indent=2, ensure_ascii=False, allow_nan=False)
    weights = {name: tensor.contiguous() for name, tensor in tail.weights.items()}
    return {WEIGHTS: save(weights), DESCRIPTION: text.encode() + b"\n"}


def load_tail(folder: Path) -> StoredTail:
    """Read a tail back.

    Raises:
        HeadError: it is missing, of a newer format version, or damaged.
    """
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if description["format_version"] > FORMAT_VERSION:
            raise HeadError(
                f"found a tail of format version {description['format_version']} in {folder}, expected at most "
                f"{FORMAT_VERSION}; install a newer embank, or fit the task again"
            )
        design = dict(description["design"])
        design["options"] = TailOptions(**design["options"])
        return StoredTail(
            design=TailDesign(**design),
            seed=int(description["seed"]),
            labels=tuple(description["labels"]),
            learned=description["learned"],
            weights=load((folder / WEIGHTS).read_bytes()),
        )
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as damage:
        raise HeadError(f"found a damaged tail in {folder} ({damage!r}); fit the task again") from damage
