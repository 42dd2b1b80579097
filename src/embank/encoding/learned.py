"""A learned pooling frozen into a column: vectors of texts whose states the bank has, written as rows like others."""

from typing import Any

import numpy as np

from embank.arrays import TextIds, Vectors
from embank.codecs import calibrate
from embank.encoding import EncodeReport
from embank.encoding.columns import enter_column
from embank.encoding.given import given_reading
from embank.extras import load
from embank.recipe import ColumnName
from embank.store.decoding import codec_of
from embank.store.folder import Store
from embank.store.writing import Addition

_CHUNK = 4096
"""Texts of a segment; the first chunk calibrates a codec that learns."""

_BUDGET = 4096
"""Tokens of a batch."""


def column_of(pooling: Any, codec: str) -> ColumnName:
    """The column that a stored pooling fills: its name holds a digest of the learned weights, and its highest layer."""
    return ColumnName(pooling.encoder, pooling.design.layers[-1], "own", (), codec)


def fill_learned(store: Store, pooling: Any, lessons: Any, numbers: TextIds, codec: str) -> EncodeReport:
    """Write the pooled vectors of texts that have none yet.

    Args:
        store: the bank.
        pooling: as it is stored.
        lessons: the states of these texts, as `LayerLessons` gives them.
        numbers: of the texts, ascending.
        codec: the precision of the column.

    Raises:
        BankLockedError: another writer holds the bank.
        StorageFullError: no space is left; what was committed is kept.
    """
    modules = load("embank.pooling.modules", "torch")
    name = column_of(pooling, codec)
    module = modules.restored(pooling.design, pooling.width, pooling.weights)
    report = EncodeReport(rows=len(numbers))
    with store.writer() as writer:
        there = str(name) in store.catalogue.columns()
        has = store.reader(str(name)).has(numbers) if there else np.zeros(len(numbers), np.bool_)
        lacking = np.flatnonzero(~has)
        report.known = len(numbers) - len(lacking)
        for start in range(0, len(lacking), _CHUNK):
            which = lacking[start : start + _CHUNK]
            vectors = pooled(module, lessons, which)
            if not there:
                reading = given_reading(pooling.digest)
                origin = f"pooling of {', '.join(pooling.sources)}"
                facts = {"origin": origin, "family": "", "width": vectors.shape[1], "layers": 0, "compute": "torch"}
                with store.catalogue.transaction():  # before the column: one that has no encoder is nobody's
                    store.catalogue.set_encoder(name.encoder, reading, facts)
                enter_column(writer, name, reading, calibrate(name.codec, vectors))
                there = True
            rows = codec_of(store, store.column(str(name))).encode(vectors)
            writer.append(Addition(known=numbers[which], rows={str(name): rows}))
            report.completed += len(which)
    return report


def pooled(module: Any, lessons: Any, which: np.ndarray) -> Vectors:
    """Vectors of some examples, float32 `[examples, width]`, in their order."""
    torch, batches = load("torch", "torch"), load("embank.tails.lessons", "torch")
    found = np.empty((len(which), module.design.width(module.width)), np.float32)
    with torch.inference_mode():
        for places in batches.in_stretches(lessons.lengths[which], _BUDGET):
            found[places] = module(**lessons.inputs(which[places])).numpy()
    return found
