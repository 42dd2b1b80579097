"""Names of class labels: the `ClassLabel` features of Hugging Face datasets, which store names as integers."""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from embank.arrays import Cell
from embank.errors import InputError

#: The names of the classes, by their integer.
Names = tuple[str, ...]

_UNLABELLED = -1


def names_in_schema(schema: pa.Schema) -> dict[str, Names]:
    """Find the class names that `datasets` leaves in the metadata of Arrow and Parquet files."""
    stored = (schema.metadata or {}).get(b"huggingface")
    try:
        return names_in_features(json.loads(stored)["info"]["features"]) if stored else {}
    except (ValueError, KeyError, TypeError):
        return {}  # another tool's metadata: the integers come through as they are


def names_in_features(features: Cell) -> dict[str, Names]:
    """Find the class names among the features of a `dataset_info.json`; lists of labels count as well."""
    if not isinstance(features, Mapping):
        return {}
    found = {column: _names(feature) for column, feature in features.items()}
    return {column: names for column, names in found.items() if names}


def _names(feature: Cell) -> Names:
    if isinstance(feature, list) and len(feature) == 1:
        return _names(feature[0])
    if not isinstance(feature, Mapping):
        return ()
    if feature.get("_type") == "ClassLabel":
        names = feature.get("names")
        return tuple(str(name) for name in names) if isinstance(names, list) else ()
    return _names(feature.get("feature"))


def named(values: list[Any], column: str, names: Names, faults: dict[int, str]) -> list[Any]:
    """Put names in the place of integers; -1 is what `datasets` writes for a label that is not known."""
    found: list[Any] = []
    for offset, value in enumerate(values):
        try:
            found.append([_name(one, names) for one in value] if isinstance(value, list) else _name(value, names))
        except InputError as fault:
            faults[offset] = f"{column}: {fault}"
            found.append(None)
    return found


def _name(value: Cell, names: Names) -> Cell:
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if value == _UNLABELLED:
        return None
    if not 0 <= value < len(names):
        raise InputError(f"label {value} has no name among {len(names)}")
    return names[value]
