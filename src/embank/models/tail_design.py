"""The contract of tails: what one predicts, which of its weights are its own, and how it is built.

A tail owns the upper layers of an encoder for one task, and starts from banked states of a middle layer: embedding
recycling (Saad-Falcon et al. 2023, "Embedding Recycling for Language Models", Findings of EACL, arXiv 2207.04993).
"""

from dataclasses import dataclass, field
from typing import Literal

from embank.errors import UsageError
from embank.labels.kinds import KINDS, Kind

Method = Literal["full", "adapters", "lora"]
"""Train the upper layers themselves, bottleneck adapters in them, or low-rank additions to their linears."""

METHODS: tuple[Method, ...] = ("full", "adapters", "lora")

POOLINGS = ("mean", "max", "first", "last")

SPAN_OUTPUTS = 2
"""Of a span: one for its first token, one for its last."""

IGNORED = -100
"""The target of a token, or of the end of a span, that is not learned from."""


@dataclass(frozen=True)
class TailOptions:
    """What may be set about a tail, and seldom has to be.

    Attributes:
        pooling: "mean", "max", "first", or "last" (for families that read from left to right).
        dropout: on what the output layer reads.
        width: bottleneck of adapters; the recycling paper has 256, and 24 or 64 for its smallest task.
        rank: of LoRA's additions.
        alpha: their scale is alpha / rank.
        lora_dropout: on what they read.
    """

    pooling: str = "mean"
    dropout: float = 0.1
    width: int = 64
    rank: int = 16
    alpha: int = 32
    lora_dropout: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no tail can be made of."""
        _known(self.pooling, POOLINGS, "pooling")
        for name in ("width", "rank"):
            if getattr(self, name) < 1:
                raise UsageError(f"found {name} {getattr(self, name)} for a tail, expected 1 or more")
        for name in ("dropout", "lora_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"found {name} {getattr(self, name)} for a tail, expected 0 or more and less than 1")


@dataclass(frozen=True)
class TailDesign:
    """What a tail is to be.

    Attributes:
        cut: the layer whose states it starts from.
        method: what it trains.
        kind: what it predicts.
        outputs: classes, labels or numbers; 2 for a span, its first and its last token.
        options: everything else.
        layers: how many layers run above the cut, those above them being skipped; None is all of them.
    """

    cut: int
    method: Method
    kind: Kind
    outputs: int
    options: TailOptions = field(default_factory=TailOptions)
    layers: int | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown method or kind, and a number of outputs that does not fit."""
        _known(self.method, METHODS, "method")
        _known(self.kind, KINDS, "kind")
        if self.outputs < 1:
            raise UsageError(f"found {self.outputs} outputs for a tail, expected 1 or more")
        if self.kind == "span" and self.outputs != SPAN_OUTPUTS:
            raise UsageError(f"found {self.outputs} outputs for a span, expected 2: its first and its last token")


def _known(word: str, words: tuple[str, ...], what: str) -> None:
    if word not in words:
        raise UsageError(f"{word!r} is no {what} of a tail; there are: {', '.join(words)}")
