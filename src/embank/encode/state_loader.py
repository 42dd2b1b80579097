"""States of texts for a tail: read from the bank if they are stored, otherwise computed by the lower layers."""

from collections.abc import Mapping, Sequence

import numpy as np

from embank.arrays import TextIds, Vectors
from embank.codecs import calibrate
from embank.codecs.reduction import limited
from embank.encode.batch_encode import encode_texts
from embank.encode.columns import readout_of
from embank.encode.opened_encoders import OpenedEncoders
from embank.errors import HeadError
from embank.recipe import ColumnName
from embank.store.kept_texts import kept_texts
from embank.store.states import StatesReader
from embank.store.vectors import codec_of
from embank.texts import Text


class StateSource:
    """Gives states by text number, and counts how many were read and how many had to be computed.

    Attributes:
        hits: texts whose states were read.
        misses: texts whose states were computed.
    """

    def __init__(self, encoders: OpenedEncoders, column: str, contents: Mapping[int, Text] | None = None) -> None:
        """Serve one column of states.

        Args:
            encoders: of the bank; the column's is opened for the first text whose states are not stored.
            column: its name; where the bank lacks it, everything is computed.
            contents: texts by number, for those whose states are not stored; texts that the bank keeps are not needed.
        """
        self.hits = self.misses = 0
        self.name = ColumnName.parse(column)
        store = encoders.store
        self._encoders, self._store, self._contents = encoders, store, dict(contents or {})
        there = store.catalogue.columns().get(column)
        self._reader = StatesReader(store.reader(column)) if there else None
        self._codec = codec_of(store, there) if there else None
        self._computed_lengths: dict[int, int] = {}

    def lengths(self, texts: TextIds) -> np.ndarray:
        """Tokens of each text, `[texts]`; those that are not banked are tokenised.

        Raises:
            HeadError: a text is neither banked nor kept nor given.
        """
        there = self._there(texts)
        found = np.zeros(len(texts), np.int64)
        if self._reader is not None and there.any():
            found[there] = self._reader.lengths(texts[there])
        absent = [int(text) for text in texts[~there] if int(text) not in self._computed_lengths]
        if absent:
            given = self._texts(absent)
            tokens = self._encoders.encoder_for(self.name, given).tokens(given)
            limits = [limited(np.empty((len(ids), 0), np.float32), self.name.steps) for ids in tokens.ids]
            self._computed_lengths |= {number: len(own) for number, own in zip(absent, limits, strict=True)}
        found[~there] = [self._computed_lengths[int(text)] for text in texts[~there]]
        return found

    def reachable(self, texts: TextIds) -> np.ndarray:
        """Which texts have their states banked, or can have them computed, bool `[texts]`."""
        there = self._there(texts)
        absent = [int(text) for text in texts[~there]]
        self._contents |= kept_texts(self._store, [number for number in absent if number not in self._contents])
        there[~there] = [number in self._contents for number in absent]
        return there

    def blocks(self, texts: TextIds) -> list[Vectors]:
        """States of each text as float32 `[tokens, width]`, in their order.

        Raises:
            HeadError: a text is neither banked nor kept nor given.
        """
        there = self._there(texts)
        self.hits += int(there.sum())
        self.misses += int((~there).sum())
        found: list[Vectors] = [np.empty((0, 0), np.float32)] * len(texts)
        if self._reader is not None and self._codec is not None and there.any():
            stored = self._reader.gather(texts[there])
            decoded = self._codec.decode(stored.rows)
            ends = stored.ends
            for at, end, length in zip(np.flatnonzero(there), ends, stored.lengths, strict=True):
                found[at] = decoded[end - length : end]
        if not there.all():
            computed = self._compute(self._texts([int(text) for text in texts[~there]]))
            for at, states in zip(np.flatnonzero(~there), computed, strict=True):
                found[at] = states
        return found

    def _there(self, texts: TextIds) -> np.ndarray:
        if self._reader is None:
            return np.zeros(len(texts), np.bool_)
        return self._reader.column.has(texts)

    def _texts(self, numbers: Sequence[int]) -> list[Text]:
        lacking = [number for number in numbers if number not in self._contents]
        self._contents |= kept_texts(self._store, lacking)
        lost = [number for number in lacking if number not in self._contents]
        if lost:
            raise HeadError(
                f"{len(lost)} texts have no states in {self.name}, and the bank keeps no texts to compute them from: "
                "give the files with the texts, or encode once more with --keep-text"
            )
        return [self._contents[number] for number in numbers]

    def _compute(self, texts: Sequence[Text]) -> list[Vectors]:
        readout = readout_of(self.name)
        encoded = encode_texts(self._encoders.encoder_for(self.name, texts), texts, [readout])
        for reason in encoded.failures.values():
            raise HeadError(f"the states of {len(encoded.failures)} texts cannot be computed, of the first: {reason}")
        found = encoded.states[readout]
        codec = self._codec
        if codec is None and self.name.codec in ("float32", "float16"):  # the column is gone; the others learned on it
            codec = calibrate(self.name.codec, found[0][:0])
        # A tail reads the same numbers whether a text's states were banked or not.
        return found if codec is None else [codec.decode(codec.encode(states)) for states in found]
