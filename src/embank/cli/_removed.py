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

_MULTITASK = {
    "--served": "is gone: source heads read float32, which measured best",
    "--accumulate": "is gone: a step is of four batches, which measured best",
    "--heads-first": "is gone: heads are always learned first",
    "--no-heads-first": "is gone: heads are always learned first, which measured best",
    "--dropout": "is gone: training has no dropout, which measured best",
    "--no-dropout": "is gone: training never has dropout",
}
_DISTILL = {
    **dict.fromkeys(
        ("--losses", "--activation", "--pca", "--start", "--choice", "--learns"),
        "is gone: choose --recipe best or --recipe paper",
    ),
    "--dropout": "is gone: a student learns without dropout, which measured best",
    "--held-out": "is gone: a tenth of the texts validates, at most 1,000",
}

FLAGS: Final[Mapping[tuple[str, str], str]] = {
    **{(f"multitask {verb}", flag): said for verb in ("train", "evaluate") for flag, said in _MULTITASK.items()},
    **{("distill train", flag): said for flag, said in _DISTILL.items()},
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
