"""One pass of the encoder over the texts of a plan: its speed on this machine, vectors and states in memory."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embank.encode.batch_encode import encode_texts
from embank.encode.columns import learned, readout_of
from embank.encode.default_columns import default_columns
from embank.encoders import Encoder, Readout
from embank.encoders.backends import WORTH_MEASURING
from embank.encoders.load import Located, open_encoder
from embank.plan.budget import Budget, OutOfTimeError
from embank.plan.costs import Pace
from embank.plan.head_trials import Coded
from embank.plan.ways import codec_columns
from embank.recipe import DEFAULT_CODEC, STATES, ColumnName
from embank.session import Session
from embank.store.vectors import codec_of, reduction_of
from embank.texts import Text

_TIMED_TEXTS = 256
_MOST_TIMED = 1024
_TIMED_SECONDS = 6.0
_TIMED_SHARE = 0.03
"""Of what is left, that a timed pass may take."""

_PATIENT = 120.0
"""With fewer seconds than these, backends are not compared first."""

_WINDOW = 256
_PLAIN = ("mean", "max", "first", "last")


@dataclass(frozen=True, eq=False)
class Readings:
    """Vectors and states from one pass over the texts.

    Attributes:
        places: for each text by number, its row in the vectors; -1 where it was not read.
        vectors: by readout, `[texts, width]`.
        states: float16 blocks by layer and by number of the text.
    """

    places: np.ndarray
    vectors: Mapping[Readout, np.ndarray]
    states: Mapping[int, Mapping[int, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Opened:
    """The encoder of a plan.

    Attributes:
        located: where it was found.
        encoder: ready to read, as a bank would open it.
        columns: of frozen heads, by codec.
        pace: how fast it reads.
    """

    located: Located
    encoder: Encoder
    columns: Mapping[str, Sequence[ColumnName]]
    pace: Pace

    @property
    def readouts(self) -> list[Readout]:
        """Of all vectors."""
        return list(dict.fromkeys(readout_of(column) for own in self.columns.values() for column in own))


def opened(session: Session, texts: Sequence[Text], expected: int, budget: Budget) -> Opened:
    """Open the bank's encoder as an encoding run would, and time it.

    Args:
        session: of the bank; one without any gets the default encoder.
        texts: the labelled ones, in random order.
        expected: texts that will be encoded: from a thousand on, a run takes the fastest backend.
        budget: of the plan.

    Raises:
        EncoderError: it cannot be found or loaded.
    """
    own = session.own_columns()
    started = time.perf_counter()
    located = session.encoders.known(own[0].encoder) if own else session.encoders.find(None)
    finding = time.perf_counter() - started  # the weights' digest
    default = default_columns(located, DEFAULT_CODEC)
    vectors = [one for one in own if one.encoder == located.name and one.pooling in _PLAIN]
    many = expected >= WORTH_MEASURING and budget.left > _PATIENT
    shown = list(texts) * (-(-WORTH_MEASURING // len(texts))) if many else list(texts[: WORTH_MEASURING - 1])
    session.encoders.open(located.name, default, shown)
    compute = session.encoders.compute[located.name]
    began = time.perf_counter()
    encoder = open_encoder(located, compute.backend, compute.dtype, session.options.compute.folder)
    readouts = [readout_of(column) for column in default]
    encode_texts(encoder, texts[:8], readouts)
    opening = finding + time.perf_counter() - began
    pace = _timed(encoder, texts, readouts, opening, _TIMED_SHARE * max(0.0, budget.left))
    return Opened(located, encoder, codec_columns(default, vectors), pace)


def _timed(
    encoder: Encoder, texts: Sequence[Text], readouts: Sequence[Readout], opening: float, allowed: float
) -> Pace:
    """Seconds and tokens per text: the quicker of two passes, the second over as many texts as the time allows.

    Args:
        encoder: what reads.
        texts: in random order.
        readouts: of vectors.
        opening: seconds of opening it.
        allowed: seconds that a pass may take.
    """
    sample = list(texts[:_TIMED_TEXTS])
    first = _pass_seconds(encoder, sample, readouts)
    count = min(_MOST_TIMED, max(_TIMED_TEXTS, int(min(allowed, _TIMED_SECONDS) / first)))
    sample = list(texts[:count])
    # Other work on the machine only makes a pass longer, and so do shapes that have no kernel yet.
    reading = min(first, _pass_seconds(encoder, sample, readouts))
    started = time.perf_counter()
    tokens = encoder.tokens(sample)
    tokenising = (time.perf_counter() - started) / len(sample)
    length = sum(len(ids) for ids in tokens.ids) / len(sample)
    return Pace(opening, min(tokenising, reading), reading, length)


def _pass_seconds(encoder: Encoder, texts: Sequence[Text], readouts: Sequence[Readout]) -> float:
    """Seconds per text."""
    started = time.perf_counter()
    encode_texts(encoder, texts, readouts)
    return (time.perf_counter() - started) / len(texts)


def read_texts(
    opened: Opened, texts: Sequence[Text], numbers: np.ndarray, cuts: Sequence[int], budget: Budget
) -> Readings:
    """Vectors and states of texts, out of one pass.

    Args:
        opened: the encoder.
        texts: by number.
        numbers: of the texts to read.
        cuts: layers whose states are kept.
        budget: of the plan.

    Raises:
        OutOfTimeError: it was used up before all were read.
    """
    readouts = opened.readouts
    wanted = [*readouts, *(Readout(cut, STATES) for cut in cuts)]
    vectors: dict[Readout, list[np.ndarray]] = {readout: [] for readout in readouts}
    states: dict[int, dict[int, np.ndarray]] = {cut: {} for cut in cuts}
    places = np.full(len(texts), -1, np.int64)
    count = 0
    for start in range(0, len(numbers), _WINDOW):
        window = numbers[start : start + _WINDOW]
        chosen = [texts[number] for number in window.tolist()]
        found = encode_texts(opened.encoder, chosen, wanted, lambda: budget.left <= 0)
        if budget.left <= 0:
            raise OutOfTimeError
        done = np.flatnonzero(found.done)
        places[window[done]] = np.arange(count, count + len(done))
        count += len(done)
        for readout in readouts:
            vectors[readout].append(found.vectors[readout][done])
        for cut in cuts:
            blocks = found.states[Readout(cut, STATES)]
            states[cut].update((int(window[at]), blocks[at].astype(np.float16)) for at in done.tolist())
    return Readings(places, {readout: np.concatenate(parts) for readout, parts in vectors.items()}, states)


def coded(opened: Opened, session: Session, readings: Readings) -> dict[str, dict[str, Coded]]:
    """Columns in memory, by codec and name; codecs are calibrated on the texts that were read, without labels."""
    there = session.store.catalogue.columns()
    found: dict[str, dict[str, Coded]] = {}
    for group, columns in opened.columns.items():
        found[group] = {}
        for column in columns:
            vectors: Any = readings.vectors[readout_of(column)]
            stored = there.get(str(column))
            if stored:
                codec, reduction = codec_of(session.store, stored), reduction_of(session.store, stored)
            else:
                codec, reduction = learned(session.store, column, vectors)
            found[group][str(column)] = Coded(codec, codec.encode(reduction(vectors)))
    return found
