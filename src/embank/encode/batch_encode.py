"""Encoding a window of texts: tokenise, batch, run, put rows back in order, isolate rows that fail."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from embank.arrays import Mask, Vectors
from embank.codecs.reduction import limited
from embank.encode import Stop
from embank.encoders import Batch, Encoder, Readout, Tokens
from embank.encoders.batching import batches, finite
from embank.errors import EncoderError
from embank.recipe import STATES
from embank.texts import Text

_log = logging.getLogger(__name__)

_HARMLESS = "a text"

_LEAST_BUDGET = 256
"""Tokens of a batch, however many prefixes share it."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """What came out of a window.

    Attributes:
        vectors: for each readout of vectors, one vector per text; rows of texts that are not `done` hold nothing.
        states: for each readout of states, one block `[tokens, width]` per text; an empty one for a text that is not
            `done`.
        done: which texts have their vectors.
        cut: which texts lost their end.
        failures: offsets of texts that the encoder failed on, and why.
    """

    vectors: dict[Readout, Vectors]
    states: dict[Readout, list[Vectors]]
    done: Mask
    cut: Mask
    failures: dict[int, str]


def encode_texts(
    encoder: Encoder,
    texts: Sequence[Text],
    readouts: Sequence[Readout],
    stop: Stop = lambda: False,
    tick: Callable[[int], None] = lambda _: None,
) -> Encoded:
    """Encode texts in one go, sorted by length inside.

    Args:
        encoder: what encodes.
        texts: a window of them: enough for sorting to pay, few enough for memory.
        readouts: what to take from each pass; of one model under several prefixes, which share a batch, at once.
        stop: called after every batch: whether to stop.
        tick: progress callback, called with the number of token rows of each batch.

    Raises:
        EncoderError: every text failed, and so does a harmless one: the fault is the encoder's.
    """
    tokens, failures = _tokens(encoder, texts)
    # Windows of a text are summed by their tokens, then divided; a text in one piece has weight 1 and stays untouched.
    lengths = np.array([len(ids) for ids in tokens.ids], np.float32)
    pieces = np.bincount(tokens.owner, minlength=len(texts))
    total = np.bincount(tokens.owner, weights=lengths, minlength=len(texts)).astype(np.float32)
    weights = np.where(pieces[tokens.owner] > 1, lengths / np.maximum(total[tokens.owner], 1), np.float32(1))
    sums = {
        readout: np.zeros((len(texts), encoder.width_of(readout)), np.float32)
        for readout in readouts
        if readout.pooling != STATES
    }
    states = {
        readout: [np.empty((0, encoder.width_of(readout)), np.float32)] * len(texts)
        for readout in readouts
        if readout.pooling == STATES
    }
    seen = np.zeros(len(texts), np.int64)
    prefixes = len({readout.variant for readout in readouts})
    budget = encoder.budget if prefixes < 2 else max(_LEAST_BUDGET, encoder.budget // prefixes)  # noqa: PLR2004 - alone
    for rows, batch in batches(tokens, budget, encoder.padding):
        for place, vectors in _run(encoder, batch, readouts, rows, tokens, failures):
            owners = tokens.owner[place]
            seen += np.bincount(owners, minlength=len(texts))
            for readout, part in zip(readouts, vectors, strict=True):
                if readout in sums:
                    np.add.at(sums[readout], owners, part * weights[place, None].astype(np.float32))
                    continue
                for row, owner, block in zip(place.tolist(), owners.tolist(), part, strict=True):
                    states[readout][owner] = limited(block[: len(tokens.ids[row])], readout.steps)
        tick(len(rows))
        if stop():
            break
    done = (seen == pieces) & (pieces > 0)
    for offset in failures:
        done[offset] = False
    if texts and len(failures) == len(texts) and not _runs(encoder, readouts):
        raise EncoderError(f"the encoder {encoder.facts.name} failed on every text: {next(iter(failures.values()))}")
    _renormalise(sums, pieces)
    return Encoded(vectors=sums, states=states, done=done, cut=tokens.cut, failures=failures)


def _runs(encoder: Encoder, readouts: Sequence[Readout]) -> bool:
    """Whether an encoder gives numbers for a text that nothing is wrong with."""
    try:
        ((_, batch),) = batches(encoder.tokens([_HARMLESS]), encoder.budget, encoder.padding)
        return all(bool(finite(part, batch).all()) for part in encoder.vectors(batch, readouts))
    except Exception as fault:  # noqa: BLE001 - backends raise what they like
        _log.debug("the encoder fails on a harmless text too: %s", fault)
        return False


def _tokens(encoder: Encoder, texts: Sequence[Text]) -> tuple[Tokens, dict[int, str]]:
    try:
        return encoder.tokens(texts), {}
    except Exception as fault:  # noqa: BLE001 - a tokenizer may raise anything; one text must not stop the run
        _log.debug("tokenising a window failed, now text by text: %s", fault)
    ids: list[Sequence[int]] = []
    types: list[Sequence[int]] = []
    owners: list[int] = []
    cut = np.zeros(len(texts), np.bool_)
    failures: dict[int, str] = {}
    skip = 0
    for offset, text in enumerate(texts):
        try:
            own = encoder.tokens([text])
        except Exception as fault:  # noqa: BLE001 - as above
            failures[offset] = _reason(fault)
            continue
        ids += own.ids
        types += own.types or []
        owners += [offset] * len(own.ids)
        cut[offset] = bool(own.cut[0])
        skip = own.skip
    typed = types if len(types) == len(ids) and types else None
    return Tokens(ids=ids, types=typed, owner=np.array(owners, np.int64), skip=skip, cut=cut), failures


def _run(
    encoder: Encoder,
    batch: Batch,
    readouts: Sequence[Readout],
    rows: np.ndarray,
    tokens: Tokens,
    failures: dict[int, str],
) -> list[tuple[np.ndarray, list[Vectors]]]:
    """Vectors of a batch; where it fails, of its rows one by one, so that only the guilty are lost."""
    try:
        vectors = encoder.vectors(batch, readouts)
        sound = np.all([finite(part, batch) for part in vectors], axis=0)
        if sound.all():
            return [(rows, vectors)]
        failures.update({int(tokens.owner[row]): "the encoder gave no finite numbers" for row in rows[~sound]})
        return [(rows[sound], [part[sound] for part in vectors])]
    except Exception as fault:  # noqa: BLE001 - backends raise what they like; one text must not stop the run
        if len(rows) == 1:
            failures[int(tokens.owner[rows[0]])] = _reason(fault)
            return []
        _log.debug("a batch of %d rows failed, now row by row: %s", len(rows), fault)
    found = []
    for at in range(len(rows)):
        picked = slice(at, at + 1)
        types = None if batch.types is None else batch.types[picked]
        single = Batch(ids=batch.ids[picked], mask=batch.mask[picked], pool=batch.pool[picked], types=types, rows=1)
        found += _run(encoder, single, readouts, rows[picked], tokens, failures)
    return found


def _renormalise(sums: dict[Readout, Vectors], pieces: np.ndarray) -> None:
    """Scale averages of unit vectors back to length one."""
    several = pieces > 1
    if several.any():
        for readout, vectors in sums.items():
            if "unit" in readout.steps:
                lengths = np.linalg.norm(vectors[several], axis=1, keepdims=True)
                vectors[several] /= np.maximum(lengths, 1e-12)


def _reason(fault: Exception) -> str:
    first = str(fault).strip().splitlines()
    return f"{type(fault).__name__}: {first[0][:200]}" if first else type(fault).__name__
