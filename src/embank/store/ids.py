"""What the user calls some texts: their ids, or the hash of a text that was never given one."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from embank.arrays import TextIds
from embank.store.folder import Store

_STRETCH: Final = 8192
"""Texts that are asked for together where they lie close."""

_SPARSE: Final = 16
"""Where a stretch spans more than so many numbers a text, asking one by one reads less."""


def names_of(store: Store, texts: TextIds) -> list[list[Any]]:
    """All ids of each text, in order; a text without one has its hash, in hexadecimal.

    Args:
        store: the bank.
        texts: numbers, in any order, also repeated.
    """
    distinct = np.unique(texts)
    named: dict[int, list[Any]] = {int(text): [] for text in distinct}
    for start in range(0, len(distinct), _STRETCH):
        stretch = distinct[start : start + _STRETCH]
        first, last = int(stretch[0]), int(stretch[-1])
        dense = last - first < _SPARSE * len(stretch)
        spans = [(first, last)] if dense else [(text, text) for text in stretch.tolist()]
        for span in spans:
            for text, name in store.catalogue.ids_between(*span):
                if text in named:
                    named[text].append(name)
    nameless = np.array([text for text, names in named.items() if not names], np.int64)
    if len(nameless):
        numbers, keys = store.catalogue.numbered_keys()
        for text, at in zip(nameless.tolist(), np.searchsorted(numbers, nameless).tolist(), strict=True):
            if at < len(numbers) and numbers[at] == text:
                named[text] = [bytes(keys[at]).hex()]
    # a text that was forgotten while this was asked has neither id nor key
    return [named[text] or [f"forgotten-{text}"] for text in np.asarray(texts).tolist()]


def id_column(names: Sequence[Any]) -> list[Any]:
    """Ids as one column: whole numbers where all are, otherwise strings."""
    if all(isinstance(name, int) for name in names):
        return list(names)
    return [str(name) for name in names]
