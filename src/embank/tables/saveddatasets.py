"""Folders written by `save_to_disk` of Hugging Face `datasets`, read without that library."""

import json
from pathlib import Path
from typing import Any

from embank.errors import InputError
from embank.tables.arrowfiles import ArrowTable, open_arrow
from embank.tables.labelnames import names_in_features
from embank.tables.streams import explained

_STATE = "state.json"
_FEATURES = "dataset_info.json"
_SPLITS = "dataset_dict.json"


def saved_tables(name: str, folder: Path) -> list[ArrowTable] | None:
    """Find the dataset in a folder, or all splits of a `DatasetDict` in its order; None if it is neither.

    A dataset is one source, whatever its number of files. A split is called "folder/train".
    """
    if (folder / _STATE).is_file():
        return [_dataset(name, folder)]
    if (folder / _SPLITS).is_file():
        splits = _read(name, folder / _SPLITS).get("splits", [])
        return [_dataset(f"{name}/{split}", folder / str(split)) for split in splits]
    return None


def _dataset(name: str, folder: Path) -> ArrowTable:
    state = _read(name, folder / _STATE)
    if any(value for key, value in state.items() if key.startswith("_indices")):
        # Releases before 2.0 saved a selection as an index beside the unselected rows; later ones ignore it.
        raise InputError(
            f"{name} was saved by an old release of datasets with its rows reordered; "
            "load it there, call flatten_indices() and save it again"
        )
    try:
        paths = tuple(folder / file["filename"] for file in state["_data_files"])
    except (KeyError, TypeError) as odd:
        raise InputError(f"{name} has a {_STATE} that lists no files; save the dataset again") from odd
    features = _read(name, folder / _FEATURES).get("features") if (folder / _FEATURES).is_file() else None
    return ArrowTable(name, paths, open_arrow, names_in_features(features))


def _read(name: str, path: Path) -> dict[str, Any]:
    with explained(name):
        try:
            value = json.loads(path.read_bytes())
        except ValueError as malformed:
            raise InputError(f"{name} has a {path.name} that is not JSON; save the dataset again") from malformed
    if not isinstance(value, dict):
        raise InputError(f"{name} has a {path.name} that is not a JSON object; save the dataset again")
    return value
