"""The HNSW graph of a column, stored in the bank: built once, extended with new texts, never older than the column.

One file holds the graph, the numbers of the texts that are in it and a digest of both; it is whole or absent. It is
called by the column's fingerprint and number, so a column that was dropped and made anew does not find it. A text of
it that the bank has forgotten, or a file that is damaged, means that it is built again.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from embank.arrays import TextIds
from embank.errors import DamageError
from embank.index.hnsw import GraphIndex
from embank.search.column import BLOCK, SearchedColumn
from embank.store import GRAPHS
from embank.store.cache import auxiliary_place, read_auxiliary, write_auxiliary
from embank.store.folder import Store

State = Literal["current", "extended", "built"]
"""What had to be done to a graph before it could be asked."""


def current_graph(store: Store, searched: SearchedColumn) -> tuple[GraphIndex, State]:
    """The graph of a column over exactly the texts that have a row there now; what was done is kept in the bank.

    Raises:
        ExtraMissingError: usearch is not installed.
        StorageFullError: no space is left; the graph that was there before is kept.
    """
    place = auxiliary_place(store.root, GRAPHS, searched.stored)
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
    write_auxiliary(place, {"graph": graph.content(), "texts": covered})
    return graph, "extended" if len(texts) else "built"


def _kept(place: Path, width: int) -> tuple[GraphIndex | None, TextIds]:
    """The stored graph and its texts; None if there is no valid one."""
    nothing = np.empty(0, np.int64)
    arrays = read_auxiliary(place, ("graph", "texts"))
    if arrays is None:
        return None, nothing
    try:
        restored = GraphIndex.restored(arrays["graph"], width)
    except DamageError:
        return None, nothing
    return (restored, arrays["texts"]) if len(restored) == len(arrays["texts"]) else (None, nothing)
