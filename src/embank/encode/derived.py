"""Columns whose vectors are made of other columns of the bank: entered with their own identity, filled in blocks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from embank.arrays import TextIds, Vectors
from embank.encode import EncodeReport
from embank.encode.columns import enter_column, enter_encoder, learned
from embank.encode.external import given_reading
from embank.encoders import EncoderFacts
from embank.recipe import ColumnName
from embank.store.folder import Store
from embank.store.vectors import encoded
from embank.store.writing import Addition

_CHUNK = 4096
"""Texts of a segment; the first chunk calibrates a codec that learns."""


@dataclass(frozen=True)
class Derived:
    """A column that is made of others.

    Attributes:
        name: of the column.
        identity: digest of all that makes its vectors of theirs.
        origin: where they come from, for people.
    """

    name: ColumnName
    identity: str
    origin: str


def fill_derived(
    store: Store, column: Derived, numbers: TextIds, vectors_of: Callable[[np.ndarray], Vectors]
) -> EncodeReport:
    """Write the vectors of texts that have none yet.

    Args:
        store: the bank.
        column: which; a new one is entered.
        numbers: of the texts, ascending.
        vectors_of: vectors `[texts, width]` of some of the texts, by their offsets in `numbers`.

    Raises:
        BankLockedError: another writer holds the bank.
        StorageFullError: no space is left; what was committed is kept.
    """
    name = column.name
    report = EncodeReport(rows=len(numbers))
    with store.writer() as writer:
        there = str(name) in store.catalogue.columns()
        has = store.reader(str(name)).has(numbers) if there else np.zeros(len(numbers), np.bool_)
        lacking = np.flatnonzero(~has)
        report.known = len(numbers) - len(lacking)
        for start in range(0, len(lacking), _CHUNK):
            which = lacking[start : start + _CHUNK]
            vectors = vectors_of(which)
            if not there:
                reading = given_reading(column.identity)
                facts = EncoderFacts(
                    name=name.encoder,
                    origin=column.origin,
                    family="",
                    width=vectors.shape[1],
                    layers=0,
                    compute="torch",
                )
                enter_encoder(store, facts, reading)
                enter_column(writer, name, reading, *learned(store, name, vectors))
                there = True
            rows = encoded(store, store.column(str(name)), vectors)
            writer.append(Addition(known=numbers[which], rows={str(name): rows}))
            report.completed += len(which)
    return report
