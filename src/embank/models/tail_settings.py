"""The contract of tails: the kind of task, the trained weights, and how a tail is built.

A tail owns the upper layers of an encoder for one task, and starts from banked states of a middle layer: embedding
recycling (Saad-Falcon et al. 2023, "Embedding Recycling for Language Models", Findings of EACL, arXiv 2207.04993).
"""

from dataclasses import dataclass, field
from typing import Literal

from embank.errors import UsageError
from embank.labels.kinds import KINDS, Kind
from embank.training.settings import TrainingSettings

Method = Literal["full", "adapters", "lora"]
"""Train the upper layers themselves, bottleneck adapters in them, or low-rank additions to their linears."""

METHODS: tuple[Method, ...] = ("full", "adapters", "lora")

POOLINGS = ("mean", "max", "first", "last")

DEPTHS = (0.25, 0.5, 0.75)
"""Shares of the depth that short trials cut at, as in the recycling paper."""

SPAN_OUTPUTS = 2
"""Of a span: one for its first token, one for its last."""

_REFERENCE_WIDTH = 384
_RATES: dict[Method, float] = {"full": 2e-4, "adapters": 4e-3, "lora": 2e-3}
"""Learning rates for an encoder 384 wide; wider ones take smaller steps in proportion (bench/log/2026-11.md)."""

_ALONE = 3e-2
"""The rate of an output layer on its own, above which nothing is trained (bench/log/2026-11.md)."""


@dataclass(frozen=True, kw_only=True)
class TailSettings:
    """Settings of a tail, as a user gives them.

    Attributes:
        method: "full", "adapters" or "lora".
        cut: the layer whose states it starts from; None: half of the depth, or what short trials say where `trials`.
        training: how it is trained.
        width: bottleneck of adapters.
        rank: of low-rank updates.
        trials: choose the cut by short trials at 25, 50 and 75 % of the depth.
    """

    method: Method = "full"
    cut: int | None = None
    training: TrainingSettings = TrainingSettings()  # noqa: RUF009 - a frozen value
    width: int = 64
    rank: int = 16
    trials: bool = False

    def __post_init__(self) -> None:
        """Refuse an unknown method, and widths that no tail can have."""
        if self.method not in METHODS:
            raise UsageError(f"unknown method of a tail {self.method!r}; choose from: {', '.join(METHODS)}")
        for name in ("width", "rank"):
            if getattr(self, name) < 1:
                raise UsageError(f"found {name} {getattr(self, name)} for a tail, expected at least 1")


@dataclass(frozen=True, kw_only=True)
class TailOptions:
    """Options of a tail that seldom have to be set.

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
        """Refuse unknown poolings, and numbers out of range."""
        _known(self.pooling, POOLINGS, "pooling")
        for name in ("width", "rank"):
            if getattr(self, name) < 1:
                raise UsageError(f"found {name} {getattr(self, name)} for a tail, expected 1 or more")
        for name in ("dropout", "lora_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"found {name} {getattr(self, name)} for a tail, expected 0 or more and less than 1")


@dataclass(frozen=True, kw_only=True)
class TailDesign:
    """The design of a tail.

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


def cuts_of(layers: int) -> tuple[int, ...]:
    """The cuts that trials compare: a quarter, half and three quarters of the depth.

    >>> cuts_of(6), cuts_of(12), cuts_of(2)
    ((2, 3, 5), (3, 6, 9), (1,))
    """
    return tuple(sorted({min(layers - 1, max(1, int(layers * depth + 0.5))) for depth in DEPTHS}))


def default_rate(method: Method, width: int, *, alone: bool = False) -> float:
    """The learning rate of a method for an encoder of some width, or of an output layer alone on its states.

    >>> default_rate("full", 768)
    0.0001
    """
    rate = _ALONE if alone else _RATES[method]
    return rate * min(1.0, _REFERENCE_WIDTH / width)


def _known(word: str, words: tuple[str, ...], what: str) -> None:
    if word not in words:
        raise UsageError(f"unknown {what} of a tail {word!r}; choose from: {', '.join(words)}")
