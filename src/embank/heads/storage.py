"""A served head in a folder: weights in `head.safetensors`, everything else in `head.json`; nothing is pickled."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from embank.errors import HeadError
from embank.heads import Affine
from embank.heads.served import ServedHead

FORMAT_VERSION = 1
WEIGHTS = "head.safetensors"
DESCRIPTION = "head.json"


def pack_head(head: ServedHead) -> dict[str, bytes]:
    """The content of a head's files, by name."""
    description: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "kind": head.kind,
        "labels": list(head.labels),
        "layers": len(head.layers),
        "temperature": head.temperature,
        "offsets": list(head.offsets),
        "notes": {},  # format version 1 has the key
    }
    text = json.dumps(description, indent=2, ensure_ascii=False, allow_nan=False)
    tensors = {}
    for number, layer in enumerate(head.layers):
        tensors[f"layers.{number}.weights"] = np.ascontiguousarray(layer.weights)
        tensors[f"layers.{number}.bias"] = np.ascontiguousarray(layer.bias)
    return {WEIGHTS: save(tensors), DESCRIPTION: text.encode() + b"\n"}


def load_head(folder: Path) -> ServedHead:
    """Read a head back.

    Raises:
        HeadError: the folder has no head, it is of a newer format version, or it is damaged.
    """
    description = _read_description(folder)
    try:
        tensors = load((folder / WEIGHTS).read_bytes())
        layers = tuple(
            Affine(tensors[f"layers.{number}.weights"], tensors[f"layers.{number}.bias"])
            for number in range(description["layers"])
        )
        return ServedHead(
            kind=description["kind"],
            labels=tuple(description["labels"]),
            layers=layers,
            temperature=float(description["temperature"]),
            offsets=tuple(float(offset) for offset in description["offsets"]),
        )
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as damage:
        raise HeadError(f"found a damaged head in {folder} ({damage!r}); fit the task again") from damage


def _read_description(folder: Path) -> dict[str, Any]:
    """The JSON file, once its version is known to be readable."""
    path = folder / DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except OSError as absent:
        raise HeadError(f"found no head in {folder}, expected {DESCRIPTION} there; fit the task first") from absent
    except ValueError as damage:
        raise HeadError(f"found no readable JSON in {path} ({damage}); fit the task again") from damage
    version = description.get("format_version") if isinstance(description, dict) else None
    if not isinstance(version, int):
        raise HeadError(f"found no format_version in {path}, expected a number; fit the task again")
    if version > FORMAT_VERSION:
        raise HeadError(
            f"found a head of format version {version} in {folder}, expected at most {FORMAT_VERSION}; "
            "install a newer embank, or fit the task again"
        )
    return dict(description)
