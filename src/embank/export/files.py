"""A column for other tools: its vectors, with the ids of their texts, as Parquet, NumPy, usearch or faiss."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from embank.arrays import TextIds, Vectors
from embank.atomic import storage_errors, whole_file
from embank.errors import UsageError
from embank.linalg.cosine import unit
from embank.optional import load
from embank.search.column import SearchedColumn, full_name
from embank.session import Session
from embank.store.folder import Store
from embank.store.ids import TextNames
from embank.tables import open_writer

KINDS: Final = ("parquet", "npy", "usearch", "faiss")


@dataclass(frozen=True)
class ExportReport:
    """What was exported.

    Attributes:
        column: whose vectors.
        texts: how many.
        width: of a vector.
        files: what was written; with a second file, that one lists the ids, in the order of rows and keys.
    """

    column: str
    texts: int
    width: int
    files: tuple[str, ...]


def export(session: Session, out: str | Path, kind: str, column: str | None = None) -> ExportReport:
    """Write a column's vectors, decoded to float32, in order of the texts' numbers.

    `parquet` has the columns `id` and `vector`. The others have ids in a second file, `NAME.ids.npy` for `NAME.ext`:
    `npy` is `[texts, width]`, row by row; `usearch` a graph for cosines whose keys are rows of the ids; `faiss` a flat
    index for inner products of the vectors scaled to length one. A text goes by its first id, or by its hash.

    Args:
        session: of the bank, which is only read.
        out: the file.
        kind: one of `KINDS`.
        column: its name; None: the one that a search takes.

    Raises:
        UsageError: an unknown kind, unknown column, or a place that cannot be written to.
        ExtraMissingError: usearch or faiss is not installed.
        StorageFullError: no space is left; nothing is left behind.
    """
    path = Path(out)
    if kind not in KINDS:
        raise UsageError(f"unknown format {kind!r} to export a column to; choose from: {', '.join(KINDS)}")
    _check_place(path, kind)
    store = session.store
    searched = SearchedColumn(store, full_name(session, column))
    texts = searched.reader.covered()
    files = [path]
    if kind == "parquet":
        _write_parquet(path, store, searched)
    else:
        beside = path.with_name(f"{path.stem}.ids.npy")
        writers = {"npy": _write_npy, "usearch": _write_usearch, "faiss": _write_faiss}
        with storage_errors(path.name), whole_file(path) as partial:
            writers[kind](partial, searched, texts)
            with whole_file(beside) as partial_ids, partial_ids.open("wb") as file:
                np.save(file, np.array(TextNames(store).first_of(texts).to_pylist()))
        files.append(beside)
    return ExportReport(searched.stored.name, len(texts), searched.stored.width, tuple(map(str, files)))


def _check_place(path: Path, kind: str) -> None:
    if path.suffix.lower() != f".{kind}":
        raise UsageError(f"found {path.name!r} to export {kind} to; give a name that ends in .{kind}")
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"{path} cannot be written: its folder should be there, and no folder of this name")


def _blocks(searched: SearchedColumn, texts: TextIds) -> Iterator[tuple[slice, Vectors]]:
    """Where each stretch of texts stands in the export, and its vectors."""
    for places, vectors in searched.decoded():
        rows = np.searchsorted(texts, places)
        yield slice(int(rows[0]), int(rows[-1]) + 1), vectors


def _write_parquet(path: Path, store: Store, searched: SearchedColumn) -> None:
    names = TextNames(store)
    with open_writer(path) as writer:
        for texts, vectors in searched.decoded():
            flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
            writer.write(
                {"id": names.first_of(texts), "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])}
            )


def _write_npy(partial: Path, searched: SearchedColumn, texts: TextIds) -> None:
    with partial.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (len(texts), searched.stored.width)}
        )
        for _, vectors in searched.decoded():
            file.write(np.ascontiguousarray(vectors, "<f4").tobytes())


def _write_usearch(partial: Path, searched: SearchedColumn, texts: TextIds) -> None:
    index = load("usearch.index", "search").Index(ndim=searched.stored.width, metric="cos", dtype="f32")
    for rows, vectors in _blocks(searched, texts):
        index.add(np.arange(rows.start, rows.stop, dtype=np.uint64), vectors)
    index.save(str(partial))


def _write_faiss(partial: Path, searched: SearchedColumn, texts: TextIds) -> None:
    faiss = load("faiss", "faiss")
    index = faiss.IndexFlatIP(searched.stored.width)
    for _, vectors in _blocks(searched, texts):
        index.add(unit(vectors))
    faiss.write_index(index, str(partial))
