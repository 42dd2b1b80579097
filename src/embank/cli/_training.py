"""Flags of everything that is trained, and how far training is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import embank
from embank.cli._flags import TRAINING, Seed, flag
from embank.reports.progress import shown

if TYPE_CHECKING:
    from embank import TailSettings, TrainingProgress, TrainingSettings

_METHODS = ("full", "adapters", "lora", "auto")

Rate = Annotated[
    float | None, flag(TRAINING, "--rate", help="Learning rate. [default: what suits the method and the width]")
]
Patience = Annotated[
    int, flag(TRAINING, "--patience", help="Passes without a better validation score before training stops.")
]
BatchSize = Annotated[int, flag(TRAINING, "--batch", help="Examples per training step.")]
Epochs = Annotated[
    int | None,
    flag(TRAINING, "--epochs", help="Most passes over the examples. [default: 4, or enough for 300 steps]"),
]


@dataclass(frozen=True, kw_only=True)
class Loop:
    """How long and how fast to train."""

    epochs: Epochs = None
    batch: BatchSize = 32
    rate: Rate = None
    patience: Patience = 3
    seed: Seed = 0

    def settings(self) -> "TrainingSettings":
        """Settings of a training loop."""
        return embank.TrainingSettings(
            epochs=self.epochs, batch=self.batch, rate=self.rate, patience=self.patience, seed=self.seed
        )


@dataclass(frozen=True, kw_only=True)
class SourceHead:
    """What the heads of source tasks read."""

    reads: str = TRAINING.option(
        "default",
        "What a source's head reads: default (the layers of default columns) or last.",
        words=("default", "last"),
    )

    @property
    def layers(self) -> Literal["default", "last"]:
        """What they read: the layers of default columns, or the last one.

        Raises:
            UsageError: an unknown word.
        """
        if self.reads not in ("default", "last"):
            raise embank.errors.UsageError(f"unknown --reads {self.reads!r}: use default or last")
        return "default" if self.reads == "default" else "last"


@dataclass(frozen=True, kw_only=True)
class TailDesign:
    """Whether upper layers of the encoder are trained, and which."""

    tail: str | None = TRAINING.option(
        None,
        "Train upper layers of the encoder on stored states: full (all of them), adapters, lora, or auto (full, "
        "and short trials choose where to cut). [default: a head on vectors]",
        words=_METHODS,
    )
    cut: int | None = TRAINING.option(None, "Layer whose states a tail starts from. [default: half of the depth]")
    adapter_width: int = TRAINING.option(64, "Bottleneck of adapters.")
    rank: int = TRAINING.option(16, "Rank of LoRA.")


@dataclass(frozen=True, kw_only=True)
class TailFlags(Loop, TailDesign):
    """Whether upper layers of the encoder are trained, and how."""

    def wanted(self) -> "TailSettings | None":
        """Settings of a tail, or None for a head.

        Raises:
            UsageError: no such way to train a tail, or a layer without a tail.
        """
        if self.tail is None:
            if self.cut is not None:
                raise embank.errors.UsageError("--cut belongs to a tail: give --tail full, adapters or lora as well")
            return None
        if self.tail not in _METHODS:
            raise embank.errors.UsageError(f"unknown --tail {self.tail!r}: use {', '.join(_METHODS)}")
        method = next((known for known in ("full", "adapters", "lora") if self.tail == known), None)
        loop = embank.TrainingSettings(epochs=self.epochs, batch=self.batch, rate=self.rate, patience=self.patience)
        return embank.TailSettings(
            method=method or "full",
            cut=self.cut,
            training=loop,
            width=self.adapter_width,
            rank=self.rank,
            trials=self.tail == "auto",
        )


def refuse_strays(context: typer.Context) -> None:
    """Refuse flags of training on a command line that asks for no tail.

    Raises:
        UsageError: there is one.
    """
    for name in ("epochs", "batch", "rate", "patience", "adapter_width", "rank"):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            flag = name.replace("_", "-")
            raise embank.errors.UsageError(f"--{flag} belongs to a tail: give --tail full, adapters or lora as well")


@contextmanager
def progress(*, quiet: bool) -> "Iterator[Callable[[TrainingProgress], None]]":
    """Show passes, steps, loss and validation score while training goes on."""
    with shown("training", on=not quiet) as show:
        yield show
