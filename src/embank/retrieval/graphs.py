"""The graph of a column, kept in the bank: built once, extended with what is new, never older than the column.

One file holds the graph, the numbers of the texts that are in it and a digest of both; it is whole or absent. It is
called by the column's fingerprint and number, so a column that was dropped and made anew does not find it. A text of
it that the bank has forgotten, or a file that is damaged, means that it is built again.
"""

from hashlib import blake2b
from pathlib import Path
from typing import Final, Literal

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from embank.arrays import TextIds
from embank.errors import DamageError
from embank.index.graph import GraphIndex
from embank.retrieval.rows import BLOCK, SearchedColumn
from embank.store import StoredColumn
from embank.store.files import storage_errors, write_durably
from embank.store.folder import Store

_FOLDER: Final = "index"

State = Literal["current", "extended", "built"]
"""What had to be done to a graph before it could be asked."""


def current_graph(store: Store, searched: SearchedColumn) -> tuple[GraphIndex, State]:
    """The graph of a column over exactly the texts that have a row there now; what was done is kept in the bank.

    Raises:
        ExtraMissingError: usearch is not installed.
        StorageFullError: no space is left; the graph that was there before is kept.
    """
    place = _place(store.root, searched.stored)
    covered = searched.reader.covered()
    graph, texts = _kept(place, searched.stored.width)
    if graph is None or not np.isin(texts, covered, assume_unique=True).all():
        graph, texts = GraphIndex.empty(searched.stored.width), np.empty(0, np.int64)
    new = np.setdiff1d(covered, texts, assume_unique=True)
    if not len(new):
        return graph, "current"
    for start in range(0, len(new), BLOCK):
        part = new[start : start + BLOCK]
        graph.add(part, searched.vectors(part))
    _keep(place, graph, covered)
    _sweep(store)
    return graph, "extended" if len(texts) else "built"


def _place(root: Path, column: StoredColumn) -> Path:
    return root / _FOLDER / f"{column.recipe.fingerprint}-{column.number}.safetensors"


def _kept(place: Path, width: int) -> tuple[GraphIndex | None, TextIds]:
    """The graph that is kept and its texts; None where there is none that can be trusted."""
    nothing = np.empty(0, np.int64)
    try:
        arrays = load(place.read_bytes())
        graph, texts, digest = arrays["graph"], arrays["texts"], arrays["digest"]
        if digest.tobytes() != _digest(graph, texts).tobytes():
            return None, nothing
        restored = GraphIndex.restored(graph, width)
    except (OSError, SafetensorError, KeyError, DamageError):
        return None, nothing
    return (restored, texts) if len(restored) == len(texts) else (None, nothing)


def _keep(place: Path, graph: GraphIndex, texts: TextIds) -> None:
    with storage_errors(str(place)):
        place.parent.mkdir(exist_ok=True)
    content = graph.content()
    write_durably(place, save({"graph": content, "texts": texts, "digest": _digest(content, texts)}))


def _sweep(store: Store) -> None:
    """Delete the graphs of columns that the bank no longer has."""
    known = {_place(store.root, column).name for column in store.catalogue.columns().values()}
    for path in (store.root / _FOLDER).glob("*.safetensors"):
        if path.name not in known:
            path.unlink(missing_ok=True)


def _digest(graph: np.ndarray, texts: TextIds) -> np.ndarray:
    state = blake2b(digest_size=16)
    state.update(np.ascontiguousarray(texts).tobytes())
    state.update(np.ascontiguousarray(graph).tobytes())
    return np.frombuffer(state.digest(), np.uint8)
