"""Commands and flags that earlier versions had, and what to write now. They are answered with a line, not obeyed."""

from collections.abc import Mapping, Sequence
from typing import Final

COMMANDS: Final[Mapping[str, str]] = {
    "trunk multitask": "multitask train",
    "trunk evaluate": "multitask evaluate",
    "trunk prefix add": "prefix add",
    "trunk prefix replace": "prefix replace",
    "trunk prefix remove": "prefix remove",
    "trunk prefix list": "prefix list",
    "trunk prefix": "prefix",
    "trunk project": "distill train",
    "trunk fill": "distill fill",
    "trunk": "multitask",
}
"""Old words of a command, and the new ones."""

_COLUMN = "is now '--columns'"
_ENCODER = "is now '--encoder-path'"
_MULTITASK = {
    "--served": "is gone: source heads read float32, which measured best",
    "--accumulate": "is gone: a step is of four batches, which measured best",
    "--heads-first": "is gone: heads are always learned first",
    "--no-heads-first": "is gone: heads are always learned first, which measured best",
    "--dropout": "is gone: training has no dropout, which measured best",
    "--no-dropout": "is gone: training never has dropout",
}
_RECIPE = "is gone: '--recipe best' or '--recipe paper' decides it"

FLAGS: Final[Mapping[tuple[str, str], str]] = {
    **{(command, "--column"): _COLUMN for command in ("search", "dedup", "export", "forget", "distill fill")},
    **{(command, "--column"): _COLUMN for command in ("evaluate sts", "evaluate retrieval")},
    **{(command, "--encoder"): _ENCODER for command in ("fit", "predict", "search", "plan")},
    **{(f"multitask {verb}", flag): said for verb in ("train", "evaluate") for flag, said in _MULTITASK.items()},
    **{
        ("distill train", flag): _RECIPE
        for flag in ("--losses", "--activation", "--pca", "--start", "--choice", "--learns")
    },
    ("distill train", "--dropout"): "is gone: a student learns without dropout, which measured best",
    ("distill train", "--texts"): "is gone: files follow OUT, as in embank distill train OUT FILE",
    ("distill train", "--column"): "is gone: a student learns its teacher's own pooling of the last layer",
    ("distill train", "--max-tokens"): "is gone: a student reads as much as its teacher",
    ("distill train", "--patience"): "is gone: training stops after 3 passes without a better score",
    ("distill train", "--held-out"): "is gone: a tenth of the texts validates, at most 1,000",
}
"""A command that is there and a flag that it had, and what became of the flag."""


def answer_to_command(words: Sequence[str]) -> str | None:
    """The answer to a line that begins with a command of an earlier version, or None."""
    for count in range(3, 0, -1):
        old = " ".join(words[:count])
        if old in COMMANDS:
            new = COMMANDS[old]
            return f"'{old}' is now '{new}'; see embank {new} --help"
    return None


def answer_to_flag(command: str, flag: str) -> str | None:
    """The answer to a flag that a command had in an earlier version, or None."""
    said = FLAGS.get((command, flag))
    return None if said is None else f"'{flag}' {said}; see embank {command} --help"
