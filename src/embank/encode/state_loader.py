"""States of texts for a tail: read from the bank if they are stored, otherwise computed by the lower layers."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from embank.arrays import TextIds, Vectors
from embank.codecs import calibrate
from embank.codecs.steps import limited
from embank.encoders import Encoder, Readout
from embank.encoders.batching import batches
from embank.errors import HeadError
from embank.recipe import ColumnName
from embank.store.folder import Store
from embank.store.kept_texts import kept_texts
from embank.store.states import StatesReader
from embank.store.vectors import codec_of
from embank.texts import Text

Lower = Callable[[Sequence[Text]], Encoder]
"""Opens the encoder whose lower layers compute states that are not banked; told for which texts."""


class StateSource:
    """Gives states by text number, and counts how many were read and how many had to be computed.

    Attributes:
        hits: texts whose states were read.
        misses: texts whose states were computed.
    """

    def __init__(self, store: Store, column: str, lower: Lower, contents: Mapping[int, Text] | None = None) -> None:
        """Serve one column of states.

        Args:
            store: the bank.
            column: name of the column; the bank may lack it, then everything is computed.
            lower: opens the encoder for misses.
            contents: texts by number, for misses; those that the bank keeps need not be there.
        """
        self.hits = self.misses = 0
        self.name = ColumnName.parse(column)
        self._store, self._lower, self._contents = store, lower, dict(contents or {})
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
            tokens = self._lower(given).tokens(given)
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
        encoder = self._lower(texts)
        readout = Readout(self.name.layer, self.name.pooling, self.name.steps)
        tokens = encoder.tokens(texts)
        found: list[Vectors] = [np.empty((0, 0), np.float32)] * len(texts)
        for rows, batch in batches(tokens, encoder.budget, encoder.padding):
            (states,) = encoder.vectors(batch, [readout])
            for row, own in zip(rows.tolist(), states, strict=True):
                found[row] = limited(own[: len(tokens.ids[row])], readout.steps)
        codec = self._codec
        if codec is None and self.name.codec in ("float32", "float16"):  # the column is gone; the others learned on it
            codec = calibrate(self.name.codec, found[0][:0])
        # A tail reads the same numbers whether a text's states were banked or not.
        return found if codec is None else [codec.decode(codec.encode(states)) for states in found]
