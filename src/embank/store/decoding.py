"""Stored rows as vectors again: a column's codec, restored from what it keeps."""

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from embank.arrays import TextIds, Vectors
from embank.codecs import Codec, restore
from embank.errors import DamageError, UsageError
from embank.store import StoredColumn
from embank.store.folder import Store
from embank.store.segments import ColumnReader


def codec_of(store: Store, column: StoredColumn) -> Codec:
    """Restore a column's codec.

    Raises:
        DamageError: its calibration is gone, or not what the recipe says.
    """
    if column.calibration is None:
        return restore(column.recipe.codec, column.width, {})
    try:
        codec = restore(column.recipe.codec, column.width, load((store.root / column.calibration.file).read_bytes()))
    except (OSError, SafetensorError, UsageError) as fault:
        message = f"the calibration of column {column.name} cannot be read ({fault}): run 'embank verify {store.root}'"
        raise DamageError(message) from fault
    if codec.calibration_digest != column.recipe.calibration:
        message = f"the calibration of column {column.name} has changed: run 'embank verify {store.root}'"
        raise DamageError(message)
    return codec


def decoded(reader: ColumnReader, codec: Codec, texts: TextIds) -> Vectors:
    """Float32 vectors of some texts, in their order."""
    return codec.decode(reader.gather(texts))


def vectors(store: Store, names: list[str], texts: TextIds) -> Vectors:
    """Float32 vectors of several columns, side by side."""
    columns = store.catalogue.columns()
    return np.hstack([decoded(store.reader(name), codec_of(store, columns[name]), texts) for name in names])
