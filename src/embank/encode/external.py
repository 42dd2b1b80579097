"""Vectors that were made elsewhere, banked like any others: coded, in segments, found by text."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from embank.arrays import Vectors
from embank.encode import EncodeReport, Fault
from embank.encode.columns import enter_column, learned
from embank.errors import UsageError
from embank.recipe import GIVEN, ColumnName, Reading
from embank.store.catalogue import UNKNOWN
from embank.store.folder import Store
from embank.store.vectors import codec_of, reduction_of
from embank.store.writing import Addition
from embank.texts import keys_and_faults, plain_id

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
            facts = {"origin": "given", "family": "", "width": vectors.shape[1], "layers": 0, "compute": "elsewhere"}
            with store.catalogue.transaction():  # before the column: one that has no encoder is nobody's
                store.catalogue.set_encoder(name.encoder, reading, facts)
            sample = vectors[:: max(1, len(vectors) // _CALIBRATION)]
            enter_column(writer, name, reading, *learned(store, name, np.ascontiguousarray(sample, np.float32)))
        codec, reduction = codec_of(store, store.column(str(name))), reduction_of(store, store.column(str(name)))
        for start in range(0, len(texts), _CHUNK):
            stop = min(start + _CHUNK, len(texts))
            keys, faults = keys_and_faults(texts[start:stop])
            report.rows += stop - start
            report.n_faults += len(faults)
            report.faults += [Fault("texts", start + at, None, reason) for at, reason in faults.items()]
            distinct = {key: start + at for at, key in reversed(list(enumerate(keys))) if key is not None}
            order = sorted(distinct, key=distinct.__getitem__)
            numbers = store.catalogue.lookup(order)
            has = store.reader(str(name)).has(numbers)
            names: dict[bytes, list[Any]] = {}
            for at, key in enumerate(keys):
                if ids is not None and key is not None:
                    names.setdefault(key, []).append(plain_id(ids[start + at]))
            new = np.flatnonzero(numbers == UNKNOWN)
            old = np.flatnonzero((numbers != UNKNOWN) & ~has)
            old = old[np.argsort(numbers[old])]
            for chosen, known_numbers in ((new, None), (old, numbers[old])):
                if not len(chosen):
                    continue
                picked = [order[at] for at in chosen]
                chosen_vectors = np.ascontiguousarray(vectors[[distinct[key] for key in picked]], np.float32)
                rows = codec.encode(reduction(chosen_vectors))
                called = [(at, name) for at, key in enumerate(picked) for name in names.get(key, ())]
                fresh = picked if known_numbers is None else ()
                writer.append(Addition(keys=fresh, known=known_numbers, rows={str(name): rows}, ids=called))
            report.new += len(new)
            report.completed += len(old)
            report.known += len(keys) - len(faults) - len(new) - len(old)
    return report
