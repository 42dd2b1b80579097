"""Vectors that were made elsewhere, banked like any others: coded, in segments, found by text."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from embank.arrays import Vectors
from embank.encode import EncodeReport, Fault, TextBlock
from embank.encode.columns import enter_column, enter_encoder, learned
from embank.encoders import EncoderFacts
from embank.errors import UsageError
from embank.recipe import GIVEN, ColumnName, Reading
from embank.store.catalogue import UNKNOWN
from embank.store.folder import Store
from embank.store.vectors import encoded
from embank.store.writing import Addition, Writer
from embank.texts import plain_id

_CHUNK = 16384
_CALIBRATION = 8192


def is_given(store: Store, encoder: str) -> bool:
    """Say whether an encoder's name stands for vectors made elsewhere."""
    known = store.catalogue.encoders().get(encoder)
    return known is not None and known[0].given


def given_reading(identity: str) -> Reading:
    """What stands in the recipe of vectors that no encoder of this bank gives by itself."""
    return Reading(weights=f"{GIVEN}{identity}", tokenizer="")


def put_vectors(
    store: Store, name: ColumnName, texts: Sequence[Any], vectors: Vectors, ids: Sequence[Any] | None
) -> EncodeReport:
    """Bank vectors as a column; texts that have a row there keep it.

    Args:
        store: the bank.
        name: of the column; the encoder's name is free, but not one that Embank runs in this bank.
        texts: what the vectors are of.
        vectors: float32 `[texts, width]`.
        ids: what the user calls the texts, or None.

    Raises:
        UsageError: numbers of texts, vectors and ids differ, the encoder's name is taken, or a step such as `pca64`
            asks for more dimensions than there are.
    """
    if name.is_states:
        raise UsageError(
            f"{name} would hold states; vectors that were made elsewhere go into a column such as mine/0/own"
        )
    if vectors.ndim != 2 or len(vectors) != len(texts) or (ids is not None and len(ids) != len(texts)):  # noqa: PLR2004
        raise UsageError(
            f"{len(texts)} texts need vectors [{len(texts)}, width] and as many ids, found {vectors.shape}"
        )
    reading = given_reading(blake2b(name.encoder.encode(), digest_size=16).hexdigest())
    known = store.catalogue.encoders().get(name.encoder)
    if known is not None and known[0] != reading:
        raise UsageError(f"{name.encoder!r} is an encoder of this bank; give vectors made elsewhere another name")
    report = EncodeReport()
    with store.writer() as writer:
        if str(name) not in store.catalogue.columns():
            facts = EncoderFacts(
                name=name.encoder,
                origin="given",
                family="",
                width=vectors.shape[1],
                layers=0,
                compute="elsewhere",
            )
            enter_encoder(store, facts, reading)
            sample = vectors[:: max(1, len(vectors) // _CALIBRATION)]
            enter_column(writer, name, reading, *learned(store, name, np.ascontiguousarray(sample, np.float32)))
        for start in range(0, len(texts), _CHUNK):
            part = slice(start, start + _CHUNK)
            block = TextBlock("texts", start, texts[part], ids=None if ids is None else ids[part])
            report.add(_put_block(store, writer, name, block, vectors[part]))
    return report


def _put_block(store: Store, writer: Writer, name: ColumnName, block: TextBlock, vectors: Vectors) -> EncodeReport:
    """Bank the vectors of a block of texts that have no row in the column yet."""
    keys, faults, column = block.hashed.keys, block.hashed.faults, store.column(str(name))
    distinct: dict[bytes, int] = {}
    names: dict[bytes, list[Any]] = {}
    for offset, key in zip(block.hashed.offsets, keys, strict=True):
        distinct.setdefault(key, offset)
        if block.ids is not None:
            names.setdefault(key, []).append(plain_id(block.ids[offset]))
    order = list(distinct)
    numbers = store.catalogue.lookup(order)
    new = np.flatnonzero(numbers == UNKNOWN)
    old = np.flatnonzero((numbers != UNKNOWN) & ~store.reader(column.name).has(numbers))
    old = old[np.argsort(numbers[old])]
    for chosen, known in ((new, None), (old, numbers[old])):
        if not len(chosen):
            continue
        picked = [order[at] for at in chosen]
        rows = encoded(store, column, np.ascontiguousarray(vectors[[distinct[key] for key in picked]], np.float32))
        called = [(at, each) for at, key in enumerate(picked) for each in names.get(key, ())]
        fresh = picked if known is None else ()
        writer.append(Addition(keys=fresh, known=known, rows={column.name: rows}, ids=called))
    return EncodeReport(
        rows=len(block.texts),
        new=len(new),
        completed=len(old),
        known=len(keys) - len(new) - len(old),
        faults=[Fault(block.source, block.start + at, None, reason) for at, reason in faults.items()],
        n_faults=len(faults),
    )
