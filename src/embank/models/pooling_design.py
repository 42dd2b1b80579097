"""The contract of learned pooling: how states of one or several layers become the vectors of a text.

Over positions: the first, the mean, the largest of each dimension, or attention by m learned queries, which gives m
vectors. Over layers: one of them; all side by side; a weighted sum whose weights are learned (Peters et al. 2018, "Deep
contextualized word representations", arXiv 1802.05365: a softmax, and one factor); or two stages, positions inside each
layer and then attention over layers.
"""

from dataclasses import dataclass
from typing import Literal

from embank.codecs import codec_names
from embank.errors import UsageError
from embank.training.settings import TrainingSettings

Over = Literal["mean", "first", "max", "attention"]
"""How positions become one vector, or m of them."""

OVER: tuple[Over, ...] = ("mean", "first", "max", "attention")

Mix = Literal["one", "concatenated", "scalar", "two-stage"]
"""How layers become one."""

MIXES: tuple[Mix, ...] = ("one", "concatenated", "scalar", "two-stage")

RATE = 2e-3
"""The default learning rate; no layer of a transformer is trained, so it is high."""


@dataclass(frozen=True)
class PoolingDesign:
    """How states become vectors.

    Attributes:
        layers: whose states are read, ascending.
        over: positions: "mean", "first", "max" or "attention".
        queries: how many vectors attention gives, m; they stand side by side.
        mix: layers: "one", "concatenated", "scalar" or "two-stage".
    """

    layers: tuple[int, ...]
    over: Over = "attention"
    queries: int = 1
    mix: Mix = "one"

    def __post_init__(self) -> None:
        """Refuse unknown words, and layers or queries that do not fit."""
        _known(self.over, OVER, "over positions")
        _known(self.mix, MIXES, "over layers")
        listed = ", ".join(map(str, self.layers)) or "none"
        if not self.layers or list(self.layers) != sorted(set(self.layers)) or self.layers[0] < 0:
            raise UsageError(f"found layers {listed} for a pooling, expected numbers from 0, each once and ascending")
        if (self.mix == "one") != (len(self.layers) == 1):
            expected = "one layer" if self.mix == "one" else "two or more"
            raise UsageError(f"found layers {listed} for a pooling with mix {self.mix!r}, expected {expected}")
        if self.queries < 1:
            raise UsageError(f"found {self.queries} queries for a pooling, expected 1 or more")
        if self.queries > 1 and self.over != "attention":
            raise UsageError(f"found {self.queries} queries over {self.over!r}; only 'attention' gives several vectors")

    def width(self, states: int) -> int:
        """Dimensions of a text's vectors, side by side, out of states that are so wide.

        >>> PoolingDesign((2, 4), "attention", 4, "concatenated").width(384)
        3072
        """
        return states * self.queries * (len(self.layers) if self.mix == "concatenated" else 1)


@dataclass(frozen=True, kw_only=True)
class PoolingSettings:
    """Settings of a learned pooling.

    Attributes:
        design: how states become vectors.
        kind: of the task: "auto", "single", "multi" or "regression".
        columns: of states, one for each layer; empty takes those that the bank has, at float16 where it has none.
        training: how it is trained; the learning rate may be left open.
        dropout: on the vectors, before the output layer.
        codec: the precision of the column that the vectors are banked in.
    """

    design: PoolingDesign
    kind: str = "auto"
    columns: tuple[str, ...] = ()
    training: TrainingSettings = TrainingSettings()  # noqa: RUF009 - a frozen value
    dropout: float = 0.1
    codec: str = "float16"

    def __post_init__(self) -> None:
        """Refuse an unknown codec, and a dropout that leaves nothing."""
        if self.codec not in codec_names():
            raise UsageError(f"unknown codec {self.codec!r}; choose from: {', '.join(codec_names())}")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"found dropout {self.dropout} for a pooling, expected 0 or more and less than 1")
        if self.kind in ("tagging", "span"):
            raise UsageError(f"a task of kind {self.kind!r} reads each token: there is nothing to pool; fit a tail")


def _known(word: str, words: tuple[str, ...], what: str) -> None:
    if word not in words:
        raise UsageError(f"unknown pooling {what}: {word!r}; choose from: {', '.join(words)}")
