"""A served head in a folder: weights in `head.safetensors`, everything else in `head.json`; nothing is pickled."""

import json
from collections.abc import Mapping
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


def pack_head(head: ServedHead, notes: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """The content of a head's files, by name.

    Args:
        head: what to write.
        notes: anything JSON can hold that should travel with the head (scores, columns, fingerprints).

    Raises:
        HeadError: the notes do not fit into JSON.
    """
    description = {
        "format_version": FORMAT_VERSION,
        "kind": head.kind,
        "labels": list(head.labels),
        "layers": len(head.layers),
        "temperature": head.temperature,
        "offsets": list(head.offsets),
        "notes": dict(notes or {}),
    }
    try:
        text = json.dumps(description, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as unfit:
        raise HeadError(f"found notes that JSON cannot hold ({unfit}), expected plain finite values") from unfit
    tensors = {}
    for number, layer in enumerate(head.layers):
        tensors[f"layers.{number}.weights"] = np.ascontiguousarray(layer.weights)
        tensors[f"layers.{number}.bias"] = np.ascontiguousarray(layer.bias)
    return {WEIGHTS: save(tensors), DESCRIPTION: text.encode() + b"\n"}


def save_head(head: ServedHead, folder: Path, notes: Mapping[str, Any] | None = None) -> None:
    """Write a head into a folder, which is made where it is missing; a head that is there is replaced.

    Raises:
        HeadError: the notes do not fit into JSON.
    """
    files = pack_head(head, notes)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def load_head(folder: Path) -> tuple[ServedHead, dict[str, Any]]:
    """Read a head and its notes back.

    Raises:
        HeadError: no head is there, it is of a newer format version, or it is damaged.
    """
    description = _read_description(folder)
    try:
        tensors = load((folder / WEIGHTS).read_bytes())
        layers = tuple(
            Affine(tensors[f"layers.{number}.weights"], tensors[f"layers.{number}.bias"])
            for number in range(description["layers"])
        )
        head = ServedHead(
            kind=description["kind"],
            labels=tuple(description["labels"]),
            layers=layers,
            temperature=float(description["temperature"]),
            offsets=tuple(float(offset) for offset in description["offsets"]),
        )
        return head, dict(description["notes"])
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
