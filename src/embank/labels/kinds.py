"""What a task is: the five kinds of labels, whether it reads one text or two, and which names a task may have."""

import re
from typing import Literal

from embank.errors import UsageError

Kind = Literal["single", "multi", "regression", "tagging", "span"]
"""One class per text, any number of labels, or a number; a tag per word; the stretch of tokens that answers."""

KINDS: tuple[Kind, ...] = ("single", "multi", "regression", "tagging", "span")

POOLED: tuple[Kind, ...] = ("single", "multi", "regression")
"""Kinds that read one vector per text; the others read every token."""

TOGETHER = "together"
"""The task reads each row of the bank as it is: a text, or a pair that was encoded as one."""

APART = "apart"
"""The task reads two banked texts u and v, as [u, v, |u - v|, u * v]."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def check_task_name(name: str) -> None:
    """Refuse a name that no folder can have, or that a column of predictions has already.

    Raises:
        UsageError: the message says which.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a task: use letters, digits, dot, dash and underscore")
    if name == "id" or name.endswith("_score") or "_proba_" in name:
        raise UsageError(f"a task cannot be called {name!r}: predictions have a column of that kind already")
