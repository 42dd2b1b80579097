"""A learned pooling frozen into a column: vectors of texts whose states the bank has, written as rows like others."""

import numpy as np
import torch

from embank.arrays import TextIds, Vectors
from embank.encode import EncodeReport
from embank.encode.computed import Derived, fill_derived
from embank.models.learned_pooling import LearnedPooling, restored
from embank.models.pooling_file import StoredPooling
from embank.recipe import ColumnName
from embank.store.folder import Store
from embank.training.datasets import batches_by_length
from embank.training.state_inputs import LayerInputs

_BUDGET = 4096
"""Tokens of a batch."""


def column_of(pooling: StoredPooling, codec: str) -> ColumnName:
    """The column that a stored pooling fills: its name holds a digest of the learned weights, and its highest layer."""
    return ColumnName(pooling.encoder, pooling.design.layers[-1], "own", (), codec)


def fill_learned(
    store: Store, pooling: StoredPooling, source: LayerInputs, numbers: TextIds, codec: str
) -> EncodeReport:
    """Write the pooled vectors of texts that have none yet.

    Args:
        store: the bank.
        pooling: as it is stored.
        source: the states of these texts, as `LayerInputs` gives them.
        numbers: of the texts, ascending.
        codec: the precision of the column.

    Raises:
        BankLockedError: another writer holds the bank.
        StorageFullError: no space is left; what was committed is kept.
    """
    module = restored(pooling.design, pooling.width, pooling.weights)
    origin = f"pooling of {', '.join(pooling.sources)}"
    column = Derived(column_of(pooling, codec), pooling.digest, origin)
    return fill_derived(store, column, numbers, lambda which: pooled(module, source, which))


def pooled(module: LearnedPooling, source: LayerInputs, which: np.ndarray) -> Vectors:
    """Vectors of some examples, float32 `[examples, width]`, in their order."""
    found = np.empty((len(which), module.design.width(module.width)), np.float32)
    with torch.inference_mode():
        for places in batches_by_length(source.lengths[which], _BUDGET):
            found[places] = module(**source.inputs(which[places])).numpy()
    return found
