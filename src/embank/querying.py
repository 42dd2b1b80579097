"""Texts as queries: their vectors for one column, without banking them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from embank.arrays import Vectors
from embank.encode.batch_encode import encode_texts
from embank.encode.columns import readout_of
from embank.encode.external import is_given
from embank.errors import UsageError
from embank.recipe import ColumnName
from embank.search.column import choose_column
from embank.session import Encoders
from embank.store.catalogue import UNKNOWN
from embank.store.vectors import codec_of, decoded, reduction_of
from embank.texts import keys_and_faults


def full_name(encoders: Encoders, column: str | None) -> str:
    """The full name of a column, with its codec and with `own` written out; of None, that of the one a search takes.

    Raises:
        UsageError: `column` is no column's name, or there is none to choose.
    """
    return encoders.written_out([column])[0] if column else choose_column(encoders.store)


def query_vectors(encoders: Encoders, column: str, texts: Sequence[Any]) -> Vectors:
    """Vectors of texts as a column would hold them; what has a row there is read, only the rest is encoded.

    Returns:
        `[texts, width]` float32, of a new text before the codec.

    Raises:
        UsageError: no such column, a text that cannot be encoded, or a new text for vectors that were made elsewhere.
    """
    store = encoders.store
    (name,) = encoders.written_out([column])
    stored = store.column(name)
    keys, faults = keys_and_faults(texts)
    if faults:
        first = min(faults)
        raise UsageError(
            f"{len(faults)} of {len(texts)} queries cannot be encoded, the first is {first}: {faults[first]}"
        )
    numbers = store.catalogue.lookup([key or b"" for key in keys])
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
    asked = [texts[at] for at in new.tolist()]
    readout = readout_of(parsed)
    encoded = encode_texts(encoders.open(parsed.encoder, [parsed], asked), asked, [readout])
    if encoded.failures:
        at, reason = next(iter(sorted(encoded.failures.items())))
        raise UsageError(f"query {new[at]} cannot be encoded: {reason}")
    found[new] = reduction_of(store, stored)(encoded.vectors[readout])
    return found
