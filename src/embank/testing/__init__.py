"""A fake encoder for tests: no weights, no torch, the same vectors on every machine; and a run of it on a bank."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import shake_256
from typing import Literal

import numpy as np
from jaxtyping import Float32

from embank.arrays import Vectors
from embank.encode import EncodeReport, TextBlock, Watch
from embank.encode.options import EncodeSettings
from embank.encode.run import EncodeRun
from embank.encoders import Batch, EncoderFacts, Readout, Tokens
from embank.errors import UsageError
from embank.recipe import STATES, ColumnName, Reading
from embank.store.folder import Store
from embank.texts import Text

Failure = Literal["tokens", "vectors", "numbers"]
"""Where a chosen text fails: when it is turned into tokens, inside the pass, or by numbers that are not finite."""


_Row = tuple[tuple[int, int], ...]
"""Token numbers, each with its type."""


class FakeEncoder:
    """An encoder whose vectors are hashes: words that two texts share bring them closer, as with real ones.

    A text's first token stands for the whole of it, so that no two texts have the same tokens; then comes a token for
    each word. A token's state is a hash of it, of its type and of the layer. No row ever depends on its neighbours, to
    the bit.

    Attributes:
        calls: passes that were made.
        encoded: how often each text was encoded; keys are texts.

    >>> encoder = FakeEncoder()
    >>> encoder.vector_of("no heat since Friday", Readout(2, "mean")).shape
    (16,)
    """

    def __init__(
        self,
        name: str = "fake",
        *,
        width: int = 16,
        layers: int = 4,
        max_tokens: int = 64,
        budget: int = 512,
        failing: Mapping[Text, Failure] | None = None,
    ) -> None:
        """Make a fake encoder.

        Args:
            name: what banks call it.
            width: dimensions of its vectors.
            layers: how many it has; readouts may name 0 to this number.
            max_tokens: words that it reads; longer texts are cut.
            budget: tokens in a batch.
            failing: texts that it fails on, and where.
        """
        self.calls = 0
        self.encoded: Counter[Text] = Counter()
        self._facts = EncoderFacts(
            name=name, origin="embank.testing", family="fake", width=width, layers=layers, compute="hashes"
        )
        self._reading = Reading(weights=f"fake-{width}-{layers}", tokenizer="words", max_tokens=max_tokens)
        self._budget = budget
        self._failing = dict(failing or {})
        self._texts: dict[_Row, Text] = {}

    @property
    def facts(self) -> EncoderFacts:
        """What people want to know of it."""
        return self._facts

    @property
    def reading(self) -> Reading:
        """All that decides its states."""
        return self._reading

    @property
    def padding(self) -> int:
        """The token number that fills a row up."""
        return 0

    @property
    def budget(self) -> int:
        """Tokens, padding included, that make a batch."""
        return self._budget

    def width_of(self, readout: Readout) -> int:
        """Dimensions of the vectors of a readout.

        Raises:
            UsageError: there is no such layer.
        """
        if readout.layer > self._facts.layers:
            raise UsageError(f"{self._facts.name} has layers 0 to {self._facts.layers}, not {readout.layer}")
        return self._facts.width

    def tokens(self, texts: Sequence[Text]) -> Tokens:
        """Turn texts into one token row each: one token per word.

        Raises:
            RuntimeError: one of the texts was chosen to fail here.
        """
        self._fail_on(texts, "tokens")
        rows = [self._row(text) for text in texts]
        self._texts.update(zip(rows, texts, strict=True))
        ids, types = ([[token[part] for token in row] for row in rows] for part in (0, 1))
        cut = np.array([len(_tokens(text)) > self._reading.max_tokens for text in texts], np.bool_)
        return Tokens(ids=ids, types=types, owner=np.arange(len(rows), dtype=np.int64), skip=0, cut=cut)

    def vectors(self, batch: Batch, readouts: Sequence[Readout]) -> list[Vectors]:
        """One pass over a batch.

        Raises:
            RuntimeError: one of the texts was chosen to fail here.
        """
        rows = [_row_of(batch, at) for at in range(batch.rows)]
        texts = [self._texts[row] for row in rows]
        self.calls += 1
        self._fail_on(texts, "vectors")
        self.encoded.update(texts)
        found = [
            self._padded(rows, readout, batch.ids.shape[1])
            if readout.pooling == STATES
            else np.stack([self._vector(row, readout) for row in rows])
            for readout in readouts
        ]
        broken = [self._failing.get(text) == "numbers" for text in texts]
        for part in found:
            part[broken] = np.nan
        return found

    def vector_of(self, text: Text, readout: Readout) -> Float32[np.ndarray, " width"]:
        """The vector of one text, for comparison with what a bank gives back; it counts as no pass."""
        return self._vector(self._row(text), readout)

    def states_of(self, text: Text, readout: Readout) -> Vectors:
        """The states of one text, `[tokens, width]`, for comparison; it counts as no pass."""
        return self._states(self._row(text), readout)

    def _padded(self, rows: Sequence[_Row], readout: Readout, length: int) -> Float32[np.ndarray, "texts length width"]:
        padded = np.full((len(rows), length, self.width_of(readout)), np.nan, np.float32)
        for at, row in enumerate(rows):
            padded[at, : len(row)] = self._states(row, readout)
        return padded

    def _row(self, text: Text) -> _Row:
        return _tokens(text)[: self._reading.max_tokens]

    def _vector(self, row: _Row, readout: Readout) -> Float32[np.ndarray, " width"]:
        states = self._states(row, readout)
        pools = {"max": states.max(axis=0), "first": states[0], "last": states[-1]}
        vector: Float32[np.ndarray, " width"] = pools.get(readout.pooling, states.mean(axis=0))
        return vector / np.linalg.norm(vector) if "unit" in readout.steps else vector

    def _states(self, row: _Row, readout: Readout) -> Vectors:
        return np.stack([_state(readout.layer, *token, self.width_of(readout)) for token in row])

    def _fail_on(self, texts: Iterable[Text], where: Failure) -> None:
        for text in texts:
            if self._failing.get(text) == where:
                raise RuntimeError(f"this encoder fails on {text!r}")


def encode_with(
    store: Store,
    encoder: FakeEncoder,
    columns: Sequence[str],
    blocks: Iterable[TextBlock],
    settings: EncodeSettings | None = None,
    watch: Watch = lambda _: None,
) -> EncodeReport:
    """Encode blocks of texts into columns such as `fake/2/mean@int8`, as a bank does with real encoders.

    Raises:
        BankLockedError: another writer holds the bank.
    """
    names = [ColumnName.parse(column) for column in columns]
    with store.writer() as writer:
        run = EncodeRun(store, writer, names, lambda _name, _columns, _texts: encoder, settings or EncodeSettings())
        return run.run(blocks, watch)


def _tokens(text: Text) -> _Row:
    halves = (text,) if isinstance(text, str) else text
    words = [(_number(word), kind) for kind, half in enumerate(halves) for word in half.split()]
    return ((_number(repr(text)), 0), *words)


def _row_of(batch: Batch, at: int) -> _Row:
    length = int(batch.mask[at].sum())
    types = [0] * length if batch.types is None else batch.types[at].tolist()
    return tuple(zip(batch.ids[at].tolist()[:length], types[:length], strict=True))


@lru_cache(maxsize=1 << 14)
def _number(word: str) -> int:
    return 1 + int.from_bytes(shake_256(word.encode()).digest(7))


@lru_cache(maxsize=1 << 14)
def _state(layer: int, token: int, kind: int, width: int) -> Float32[np.ndarray, " width"]:
    """Numbers between -1 and 1, always the same."""
    drawn = np.frombuffer(shake_256(f"{layer}/{token}/{kind}".encode()).digest(2 * width), "<u2")
    return (drawn.astype(np.float32) - np.float32(32767.5)) / np.float32(32768)
