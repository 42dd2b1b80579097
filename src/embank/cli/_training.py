"""Flags of everything that trains upper layers, and how far training is."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

import embank
from embank.cli import _console as console
from embank.cli._flags import flag

if TYPE_CHECKING:
    from embank import TailSettings, TrainingProgress

Tail = Annotated[
    str | None,
    flag(
        "--tail",
        help="Train upper layers of the encoder on banked states: full (all of them), adapters, lora, or auto "
        "(full, and short trials choose where to cut).",
    ),
]
Cut = Annotated[
    int | None, flag("--cut", help="The layer whose states a tail starts from.  [default: half of the depth]")
]
Epochs = Annotated[
    int | None, flag("--epochs", help="Most passes over the examples.  [default: 4, or enough for 300 steps]")
]
BatchSize = Annotated[int, flag("--batch", help="Examples in a training step.")]
Rate = Annotated[float | None, flag("--rate", help="Learning rate; left out, what suits method and width.")]
Patience = Annotated[int, flag("--patience", help="Passes without a better validation score before training stops.")]
AdapterWidth = Annotated[int, flag("--adapter-width", help="Bottleneck of adapters.")]
Rank = Annotated[int, flag("--rank", help="Rank of LoRA.")]


@dataclass(frozen=True)
class Training:
    """What a user said of training."""

    epochs: int | None = None
    batch: int = 32
    rate: float | None = None
    patience: int = 3
    width: int = 64
    rank: int = 16

    def tail(self, word: str | None, cut: int | None) -> "TailSettings | None":
        """Settings of a tail, or None where none is asked for.

        Raises:
            UsageError: no such way to train a tail.
        """
        if word is None:
            if cut is not None:
                raise embank.errors.UsageError("--cut belongs to a tail: give --tail full, adapters or lora as well")
            return None
        words = ("full", "adapters", "lora", "auto")
        method = next((known for known in ("full", "adapters", "lora") if word == known), None)
        if word not in words:
            raise embank.errors.UsageError(f"{word!r} is no way to train a tail; there are: {', '.join(words)}")
        loop = embank.TrainingSettings(epochs=self.epochs, batch=self.batch, rate=self.rate, patience=self.patience)
        return embank.TailSettings(
            method=method or "full",
            cut=cut,
            training=loop,
            width=self.width,
            rank=self.rank,
            trials=word == "auto",
        )


def refuse_strays(context: typer.Context) -> None:
    """Refuse flags of training on a command line that asks for no tail. Variables are for all commands, and pass.

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
    """Show passes, steps, loss and validation score while training goes on; silent where it is not a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    shown = console.bars(
        "training, pass {task.fields[epoch]}",
        "steps, loss {task.fields[loss]:.3f}, validation {task.fields[score]}, left at most:",
    )
    with shown:
        bar = shown.add_task("", total=None, epoch=1, loss=0.0, score="-")

        def watch(now: "TrainingProgress") -> None:
            score = "-" if now.score is None else f"{now.score:.3f}"
            shown.update(bar, total=now.steps, completed=now.step, epoch=now.epoch, loss=now.loss, score=score)

        yield watch
