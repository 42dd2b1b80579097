"""Columns of a bank that an encoder is to fill: which it lacks, and how a new one is entered with its calibration."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from safetensors.numpy import save as save_arrays

from embank.arrays import Vectors
from embank.codecs import Codec, calibrate, codec_class
from embank.codecs.reduction import Reduction, learn, learns, width_after
from embank.encode.batch_encode import encode_texts
from embank.encoders import Encoder, EncoderFacts, Readout
from embank.errors import EncoderChangedError
from embank.recipe import ColumnName, Reading, Recipe
from embank.samples import messages
from embank.store import StoredColumn
from embank.store.folder import Store
from embank.store.vectors import reduction_of
from embank.store.writing import Writer
from embank.texts import Text

_SAMPLE = 4096
"""Texts of the user's that a calibration looks at, at the most."""

_NONE = Reduction()
"""Of a column whose steps learn nothing."""

_STATES_SAMPLE = 512
"""Texts for the calibration of states."""

_ENOUGH = 1024
"""Below this many, the sample that ships with Embank is added, so that three texts do not calibrate a column."""


def readout_of(name: ColumnName) -> Readout:
    """What a column takes from a pass; the steps that follow need no encoder."""
    return Readout(name.layer, name.pooling, name.taken)


def check_reading(store: Store, name: str, reading: Reading, origin: str) -> None:
    """Refuse an encoder that reads texts differently from the one that the bank knows by that name.

    Raises:
        EncoderChangedError: the message says what differs, and how to keep both.
    """
    known = store.catalogue.encoders().get(name)
    if known is None or known[0] == reading:
        return
    differing = [field for field in vars(reading) if getattr(reading, field) != getattr(known[0], field)]
    details = ", ".join(
        f"{field} {getattr(known[0], field)!r} there, {getattr(reading, field)!r} here" for field in differing
    )
    message = (
        f"this bank knows an encoder {name!r} that reads differently ({details}); "
        f"give this one a name of its own: --encoder {name}-2={origin}"
    )
    raise EncoderChangedError(message)


def add_missing_columns(
    store: Store, writer: Writer, encoder: Encoder, names: Sequence[ColumnName], texts: Sequence[Text]
) -> None:
    """Enter the columns that the bank lacks, each with steps and a codec that were calibrated on a sample.

    Columns that differ in their codec alone share what their steps learned, whenever they are entered.

    Args:
        store: the bank.
        writer: its writer.
        encoder: what will fill them.
        names: the columns that are wanted.
        texts: a first stretch of the user's texts, for calibration.

    Raises:
        UsageError: a step asks for more dimensions than there are.
    """
    known = store.catalogue.columns()
    new = [name for name in names if str(name) not in known]
    if not new:
        return
    widths = {name: encoder.width_of(readout_of(name)) for name in new}
    for name, width in widths.items():  # before a text is encoded in vain
        width_after(name.later, width)
    learning = [name for name in new if codec_class(name.codec).learns or learns(name.later)]
    sample = dict(zip(learning, _sample(encoder, learning, texts), strict=True)) if learning else {}
    enter_encoder(store, encoder.facts, encoder.reading)
    for name, width in widths.items():
        vectors = sample.get(name, np.empty((0, width), np.float32))
        if name.is_states:
            enter_column(writer, name, encoder.reading, calibrate(name.codec, vectors))
        else:
            enter_column(writer, name, encoder.reading, *learned(store, name, vectors))


def learned(store: Store, name: ColumnName, sample: Vectors) -> tuple[Codec, Reduction]:
    """Codec and later steps of a new column, from a sample of the encoder's vectors.

    What the steps of a column learned that differs in its codec alone is taken over: then both hold the same vectors.

    Raises:
        UsageError: a step asks for more dimensions than there are.
    """
    twins = [other for other in store.catalogue.columns().values() if _but_for_codec(other, name)]
    reduction = reduction_of(store, twins[0]) if twins else learn(name.later, sample)
    return calibrate(name.codec, reduction(sample)), reduction


def _but_for_codec(column: StoredColumn, name: ColumnName) -> bool:
    return replace(ColumnName.parse(column.name), codec=name.codec) == name


def calibrated_on(texts: int) -> int:
    """How many texts are read for the calibration of new columns of vectors, where so many come first.

    >>> calibrated_on(2000), calibrated_on(1_000_000), calibrated_on(100) - 100 == len(messages())
    (2000, 4096, True)
    """
    return min(texts, _SAMPLE) + (len(messages()) if texts < _ENOUGH else 0)


def enter_column(
    writer: Writer, name: ColumnName, reading: Reading, codec: Codec, reduction: Reduction = _NONE
) -> StoredColumn:
    """Enter one column with its codec, and what its later steps learned."""
    recipe = Recipe(
        reading=reading,
        layer=name.layer,
        pooling=name.pooling,
        steps=name.steps,
        codec=name.codec,
        calibration=codec.calibration_digest,
        reduction=reduction.digest,
    )
    column = StoredColumn(
        number=0,
        name=str(name),
        recipe=recipe,
        width=codec.width,
        dtype=codec.dtype.str,
        cells=codec.cells,
        folder="",
        calibration=None,
    )
    calibration = {**codec.calibration(), **reduction.calibration()}
    return writer.add_column(column, save_arrays(calibration) if calibration else b"")


def enter_encoder(store: Store, facts: EncoderFacts, reading: Reading) -> None:
    """Enter an encoder, before its first column: a column without one belongs to nobody."""
    record = {
        "origin": facts.origin,
        "family": facts.family,
        "width": facts.width,
        "layers": facts.layers,
        "compute": facts.compute,
    }
    with store.catalogue.transaction():
        store.catalogue.set_encoder(facts.name, reading, record)


def _sample(encoder: Encoder, names: Sequence[ColumnName], texts: Sequence[Text]) -> list[Vectors]:
    """Vectors for calibration: the user's first texts, evenly spread, and the shipped ones where those are few."""
    step = max(1, len(texts) // _SAMPLE)
    chosen: list[Text] = list(texts[::step][:_SAMPLE])
    if len(chosen) < _ENOUGH:
        chosen += messages()
    ragged = any(name.is_states for name in names)
    if ragged:  # a text brings all its tokens
        chosen = chosen[:: max(1, len(chosen) // _STATES_SAMPLE)]
    encoded = encode_texts(encoder, chosen, list(dict.fromkeys(map(readout_of, names))))
    return [
        np.concatenate(encoded.states[readout_of(name)])
        if name.is_states
        else encoded.vectors[readout_of(name)][encoded.done]
        for name in names
    ]
