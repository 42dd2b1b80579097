"""Texts that a data set has as lists of words, without numpy: the command line imports this at its start."""

from typing import Any

from embank.arrays import Cell
from embank.errors import UsageError

FILL = "_"
"""Stands for white space inside a word, and for a word that has nothing else, as treebanks write it."""


def words_fault(words: Cell) -> str | None:
    """Say why a value is no list of words, or None if it is one.

    >>> words_fault(["a", None]), words_fault([]), words_fault("a b"), words_fault(["a", " "])
    ('word 1 is not a string: NoneType', 'no words', 'not a list of words: str', None)
    """
    if words is None:
        return "null"
    given = listed(words)
    if given is None:
        return f"not a list of words: {type(words).__name__}"
    strange = next((at for at, word in enumerate(given) if not isinstance(word, str)), None)
    if strange is not None:
        return f"word {strange} is not a string: {type(given[strange]).__name__}"
    return None if given else "no words"


def words_text(words: Cell) -> str:
    r"""Join words to a text whose `split()` gives as many words again, in the same order.

    White space around a word is dropped; inside a word it becomes one underscore, and so does a word that is empty or
    all white space. So no row is lost to a "10 000" with a no-break space, which `str.split` would take for two words,
    and tags stay beside their words. Other words stay as they are. What was replaced cannot be told from an underscore
    of the user's own; the numbers of words, which is what tags need, are unharmed.

    >>> words_text(["about", "10\u00a0000", "", "people\n"])
    'about 10_000 _ people'

    Raises:
        UsageError: not a list of strings, or an empty list; `words_fault` says the reason without raising.
    """
    fault = words_fault(words)
    if fault:
        message = f"found {fault}, expected a list of words such as ['a', 'word']; leave such rows out, or correct them"
        raise UsageError(message)
    return " ".join(FILL.join(word.split()) or FILL for word in listed(words) or ())


def listed(value: Cell) -> list[Any] | None:
    """A list, a tuple or an array of one dimension as a list; None for anything else."""
    if not isinstance(value, list | tuple) and getattr(value, "ndim", 0) == 1:  # an array, without importing numpy
        value = getattr(value, "tolist", list)()
    return list(value) if isinstance(value, list | tuple) else None
