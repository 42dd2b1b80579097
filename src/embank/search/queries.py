"""Texts as queries: their vectors for one column, without banking them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embank.arrays import Vectors
from embank.encode.batch_encode import encode_texts
from embank.encode.columns import readout_of
from embank.encode.default_columns import resolve
from embank.encode.external import is_given
from embank.encode.options import BankOptions
from embank.encoders.backends import open_fastest
from embank.encoders.load import locate
from embank.errors import UsageError
from embank.recipe import ColumnName
from embank.session import Session
from embank.store.catalogue import UNKNOWN
from embank.store.vectors import codec_of, decoded, reduction_of
from embank.texts import Text, hashed


def query_vectors(session: Session, column: str, texts: Sequence[Any]) -> Vectors:
    """Vectors of texts as a column would hold them; what has a row there is read, only the rest is encoded.

    Returns:
        `[texts, width]` float32, of a new text before the codec.

    Raises:
        UsageError: unknown column, a text that cannot be encoded, or a new text for vectors that were made elsewhere.
    """
    store = session.store
    (name,) = session.full_names([column])
    stored = store.column(name)
    numbers = store.catalogue.lookup(_keys(texts, "queries"))
    reader = store.reader(name)
    there = numbers != UNKNOWN
    there[there] = reader.has(numbers[there])
    found = np.empty((len(texts), stored.width), np.float32)
    if there.any():
        found[there] = decoded(reader, codec_of(store, stored), numbers[there])
    new = np.flatnonzero(~there)
    if not len(new):
        return found
    parsed = ColumnName.parse(name)
    if is_given(store, parsed.encoder):
        raise UsageError(
            f"{name} holds vectors that were made elsewhere, and query {new[0]} has none there: "
            "search with vectors of your own, or name a column of an encoder"
        )
    absent = [texts[at] for at in new.tolist()]
    readout = readout_of(parsed)
    encoded = encode_texts(session.encoders.encoder_for(parsed, absent), absent, [readout])
    if encoded.failures:
        at, reason = next(iter(sorted(encoded.failures.items())))
        raise UsageError(f"query {new[at]} cannot be encoded: {reason}")
    found[new] = reduction_of(store, stored)(encoded.vectors[readout])
    return found


def encoder_vectors(encoder: str | Path, texts: Sequence[Text], options: BankOptions | None = None) -> Vectors:
    """Vectors of texts by an encoder's own pooling, without a bank: a student's queries for a column of its teacher.

    Args:
        encoder: "minilm", a folder, or a hub name.
        texts: to encode.
        options: how it reads and computes, as for a bank.

    Returns:
        `[texts, width]` float32.

    Raises:
        UsageError: a text that cannot be encoded.
    """
    chosen = options or BankOptions()
    located = locate(str(encoder), chosen.reading, local_files_only=chosen.local_files_only)
    name = resolve(located, [ColumnName(located.name, located.layers, "own", ())])[0]
    readout = readout_of(name)
    _keys(texts, "texts")
    opened, _ = open_fastest(located, chosen.compute, texts, [readout])
    encoded = encode_texts(opened, list(texts), [readout])
    if encoded.failures:
        at, reason = min(encoded.failures.items())
        raise UsageError(f"text {at} cannot be encoded: {reason}")
    return encoded.vectors[readout]


def _keys(texts: Sequence[Any], what: str) -> list[bytes]:
    """Keys of texts; one that cannot be encoded is refused by its place among all of them."""
    found = hashed(texts)
    if found.faults:
        first = min(found.faults)
        total = f"{len(found.faults)} of {len(texts)} {what}"
        raise UsageError(f"{total} cannot be encoded, the first is {first}: {found.faults[first]}")
    return list(found.keys)
