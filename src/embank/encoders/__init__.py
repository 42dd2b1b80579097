"""The contract of encoders: texts to token rows, batches of token rows to vectors, several readouts from one pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int8, Int32, Int64

from embank.arrays import Mask, Vectors
from embank.recipe import Reading
from embank.texts import Text


@dataclass(frozen=True, order=True)
class Readout:
    """What is taken from one pass: a layer, how its states are pooled, and the steps that follow.

    Layer 0 is the embedding layer's output, layer L the encoder's output after its final norm. `pooling` is "mean",
    "max", "first", "last", "own" (what the encoder's folder prescribes), or "states": no pooling, one row per token.
    `variant` names one of several encoders that are one model under different prefixes; "" is the encoder itself.
    """

    layer: int
    pooling: str
    steps: tuple[str, ...] = ()
    variant: str = ""


@dataclass(kw_only=True, frozen=True)
class Tokens:
    """Texts as token numbers, ready to be batched. A text that is read in windows has several rows.

    Attributes:
        ids: token numbers of each row, special tokens included.
        types: token types of each row, or None if the encoder has no types.
        owner: for each row, the offset of its text; ascending.
        skip: tokens at the head of a text's first row that pooling leaves out (a prompt, where the encoder says so).
        cut: for each text, whether it was longer than the encoder reads and lost its end.
    """

    ids: Sequence[Sequence[int]]
    types: Sequence[Sequence[int]] | None
    owner: Int64[np.ndarray, " rows"]
    skip: int
    cut: Mask


@dataclass(frozen=True)
class Places:
    """Positions of the tokens of one text in its characters.

    Attributes:
        starts: offset of each token's first character, in the text as it was given, or in the half of a pair that the
            token belongs to; prompt and lower-casing are accounted for.
        ends: offset behind each token's last character. Special tokens and those of the prompt have 0 for both; a token
            that stands for no character of the text has equal offsets.
        halves: -1 for a special token or one of the prompt, 0 for the text or a pair's first half, 1 for its second.
    """

    starts: Int32[np.ndarray, " tokens"]
    ends: Int32[np.ndarray, " tokens"]
    halves: Int8[np.ndarray, " tokens"]


@dataclass(kw_only=True, frozen=True)
class Batch:
    """Token rows padded on the right to one length.

    Attributes:
        ids: token numbers, padded with the encoder's own padding token.
        mask: 1 for a token, 0 for padding.
        pool: 1 for tokens that are pooled.
        types: token types, or None.
        rows: how many rows are real; the others only round the shape.
    """

    ids: Int64[np.ndarray, "batch length"]
    mask: Int64[np.ndarray, "batch length"]
    pool: Int64[np.ndarray, "batch length"]
    types: Int64[np.ndarray, "batch length"] | None
    rows: int


@dataclass(kw_only=True, frozen=True)
class EncoderFacts:
    """Facts about an encoder to show; none of them decides bytes.

    Attributes:
        name: what the bank calls it.
        origin: the folder, package or hub name it came from.
        family: the `model_type` of its configuration.
        width: dimensions of a state.
        layers: how many; columns may name 0 to this number.
        compute: backend, precision and what was measured, as a sentence.
    """

    name: str
    origin: str
    family: str
    width: int
    layers: int
    compute: str


class Encoder(Protocol):
    """An encoder as encoding sees it."""

    @property
    def facts(self) -> EncoderFacts:
        """Facts about it."""
        ...

    @property
    def reading(self) -> Reading:
        """All that decides its states."""
        ...

    def width_of(self, readout: Readout) -> int:
        """Dimensions of the vectors of a readout.

        Raises:
            UsageError: this encoder has no such layer, or prescribes no pooling of its own.
        """
        ...

    def tokens(self, texts: Sequence[Text]) -> Tokens:
        """Turn texts into token rows, cut or in windows as the reading says."""
        ...

    @property
    def padding(self) -> int:
        """The token number that fills a row up."""
        ...

    @property
    def budget(self) -> int:
        """Tokens, padding included, that make a good batch on this machine."""
        ...

    def vectors(self, batch: Batch, readouts: Sequence[Readout]) -> list[Vectors]:
        """One pass over a batch: for each readout, one vector for each of the batch's real rows.

        A readout of states gives `[rows, length, width]`; values at masked positions are undefined.
        """
        ...


@runtime_checkable
class HasVariants(Protocol):
    """An encoder that may be one of several that are one model under different prefixes.

    Attributes:
        variant: its own name among them, "" for one without a prefix.
        variants: the prefixes of all of them, by name; the same object in each of them.
    """

    variant: str
    variants: Mapping[str, Sequence[object]]
