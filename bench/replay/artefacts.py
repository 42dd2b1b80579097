"""What a walk left in its folder, in a normal form: without dates, durations and the name of the folder itself.

Nothing here imports embank: a bank is read as the SQLite file and the files that it is.
"""

import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

_DROPPED = {"fitted_at", "trained_at", "made_at", "made_by"}
"""Keys of JSON that differ from run to run, and the version of Embank; so does every key that ends in "seconds"."""

_OF_FILES = {"digest", "size"}
"""Keys of entries that describe a file; the file itself is compared, where a date in it does not count."""

_UNCOMPARED = {"lock", "README.md"}
"""Lock files, and model cards: they say how long training took and when."""

CATALOGUE = "catalogue.sqlite"


def collect(folder: Path) -> dict[str, Any]:
    """Every artefact below a walk's folder by its name: a path, or the rows of a table.

    A catalogue gives one artefact for its layout and one for each of its tables. Files of a column go by the column's
    name, so that one whose fingerprint has changed is still compared with what it was.
    """
    found, columns = {}, _column_places(folder)
    for part in ("banks", "folders", "files", "tables"):
        for path in sorted((folder / part).rglob("*")):
            if path.is_dir() or path.name in _UNCOMPARED or path.name.startswith(f"{CATALOGUE}-"):
                continue
            name = str(path.relative_to(folder))
            for place, column in columns.items():
                name = name.replace(place, column)
            if path.name == CATALOGUE:
                found |= {f"{name}: {table}": content for table, content in _catalogue(path, folder).items()}
            else:
                found[name] = path
    return found


def read(artefact: Any, root: Path) -> Any:
    """The normal form of an artefact: rows of a table as they are, a file as its kind has it."""
    if not isinstance(artefact, Path):
        return artefact
    readers = {".npy": _array, ".safetensors": _tensors, ".parquet": _parquet, ".json": _json}
    return readers.get(artefact.suffix, _text)(artefact.read_bytes(), root)


def same_bytes(one: Any, other: Any) -> bool:
    """Whether two artefacts are files of the same bytes; this spares reading most of them."""
    if not (isinstance(one, Path) and isinstance(other, Path)) or one.stat().st_size != other.stat().st_size:
        return False
    return one.read_bytes() == other.read_bytes()


def _column_places(folder: Path) -> dict[str, str]:
    """Where banks keep their columns -> how these places are called; none for a catalogue of another layout."""
    places = {}
    for path in sorted(folder.glob(f"banks/*/{CATALOGUE}")):
        bank = path.parent.relative_to(folder)
        for row in _catalogue(path, folder).get("table columns", []):
            if {"folder", "name"} <= row.keys():
                places[f"{bank}/{row['folder']}/"] = f"{bank}/{row['name']}/"
    return places


def _catalogue(path: Path, root: Path) -> dict[str, Any]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            if not name.startswith("sqlite_")
        ]
        layout = {name: [row[1] for row in connection.execute(f"PRAGMA table_info('{name}')")] for name in tables}
        found = {"layout": {"version": connection.execute("PRAGMA user_version").fetchone()[0], **layout}}
        for table, columns in layout.items():
            rows = connection.execute(f"SELECT * FROM '{table}'").fetchall()
            readable = [{name: _cell(value, root) for name, value in zip(columns, row, strict=True)} for row in rows]
            found[f"table {table}"] = sorted(readable, key=lambda row: json.dumps(row, sort_keys=True))
        return found
    finally:
        connection.close()


def _cell(value: Any, root: Path) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str):
        if value[:1] in ("{", "["):
            try:
                return _normal(json.loads(value), root)
            except json.JSONDecodeError:
                pass
        return value.replace(str(root), "<walk>")
    return value


def _normal(value: Any, root: Path) -> Any:
    """JSON without what differs from run to run; what describes a file keeps its name alone."""
    if isinstance(value, dict):
        dropped = _DROPPED | (_OF_FILES if "file" in value else set())
        return {
            key: _normal(inner, root)
            for key, inner in value.items()
            if key not in dropped and not key.endswith("seconds")
        }
    if isinstance(value, list):
        return [_normal(inner, root) for inner in value]
    return value.replace(str(root), "<walk>") if isinstance(value, str) else value


def _array(content: bytes, _: Path) -> np.ndarray:
    array: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
    return array


def _parquet(content: bytes, _: Path) -> list[Any]:
    import pyarrow.parquet

    rows: list[Any] = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    return rows


def _json(content: bytes, root: Path) -> Any:
    return _normal(json.loads(content), root)


def _text(content: bytes, root: Path) -> Any:
    try:
        return content.decode().replace(str(root), "<walk>").splitlines()
    except UnicodeDecodeError:
        return content


def _tensors(content: bytes, root: Path) -> dict[str, Any]:
    """Name -> dtype, shape and bytes; notes of the header as JSON where they are JSON."""
    size = int.from_bytes(content[:8], "little")
    header, body = json.loads(content[8 : 8 + size]), content[8 + size :]
    notes = {name: _cell(note, root) for name, note in header.pop("__metadata__", {}).items()}
    tensors = {}
    for name, entry in header.items():
        start, stop = entry["data_offsets"]
        raw = np.frombuffer(body[start:stop], np.uint8)
        kind = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8", "I32": "<i4"}.get(entry["dtype"])
        tensors[name] = {
            "dtype": entry["dtype"],
            "shape": entry["shape"],
            "values": raw.view(kind) if kind and not raw.size % np.dtype(kind).itemsize else raw,
        }
    return {"notes": notes, "tensors": tensors}
