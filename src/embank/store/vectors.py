"""Stored rows as vectors again: a column's codec, and the steps before it, restored from what the column keeps."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from embank.arrays import Rows, TextIds, Vectors
from embank.codecs import Calibration, Codec, restore
from embank.codecs.reduction import Reduction, learns, of_codec
from embank.codecs.reduction import restore as restore_reduction
from embank.errors import DamageError, UsageError
from embank.recipe import ColumnName
from embank.store import StoredColumn
from embank.store.folder import Store
from embank.store.segments import ColumnReader


def codec_of(store: Store, column: StoredColumn) -> Codec:
    """Restore a column's codec.

    Raises:
        DamageError: its calibration is gone, or not what the recipe says.
    """
    with _damage(store, column):
        codec = restore(column.recipe.codec, column.width, of_codec(_calibration(store, column)))
    if codec.calibration_digest != column.recipe.calibration:
        raise _changed(store, column)
    return codec


def reduction_of(store: Store, column: StoredColumn) -> Reduction:
    """Restore the steps that make a column's vectors out of those that its encoder gives.

    Raises:
        DamageError: what they learned is gone, or not what the recipe says.
    """
    steps = ColumnName.parse(column.name).later
    if not learns(steps):
        return Reduction(steps)
    with _damage(store, column):
        reduction = restore_reduction(steps, _calibration(store, column))
    if reduction.digest != column.recipe.reduction:
        raise _changed(store, column)
    return reduction


def encoded(store: Store, column: StoredColumn, vectors: Vectors) -> Rows:
    """Rows to store of vectors `[texts, width]` as an encoder gives them: the column's steps, then its codec."""
    return codec_of(store, column).encode(reduction_of(store, column)(vectors))


def _calibration(store: Store, column: StoredColumn) -> Calibration:
    return {} if column.calibration is None else load((store.root / column.calibration.file).read_bytes())


@contextmanager
def _damage(store: Store, column: StoredColumn) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError, UsageError) as fault:
        message = f"the calibration of column {column.name} cannot be read ({fault}): run 'embank verify {store.root}'"
        raise DamageError(message) from fault


def _changed(store: Store, column: StoredColumn) -> DamageError:
    return DamageError(f"the calibration of column {column.name} has changed: run 'embank verify {store.root}'")


def decoded(reader: ColumnReader, codec: Codec, texts: TextIds) -> Vectors:
    """Float32 vectors of some texts, in their order."""
    return codec.decode(reader.gather(texts))


def vectors(store: Store, names: list[str], texts: TextIds) -> Vectors:
    """Float32 vectors of several columns, side by side."""
    columns = store.catalogue.columns()
    return np.hstack([decoded(store.reader(name), codec_of(store, columns[name]), texts) for name in names])
