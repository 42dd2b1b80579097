"""Ids of texts as columns of a table; a text without an id has its hash.

One rule decides the type of such a column, over the whole bank: whole numbers if every text of the bank has an id and
all ids are whole numbers, otherwise strings. So all blocks of a table, and all tables of a bank, have the same type.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from embank.arrays import TextIds
from embank.store.folder import Store

_STRETCH: Final = 8192
"""Texts that are looked up together if their numbers are close."""

_SPARSE: Final = 16
"""If a stretch spans more than this many numbers per text, looking up each text reads less."""


class TextNames:
    """The names of a bank's texts."""

    def __init__(self, store: Store) -> None:
        """Decide the type of ids, for this bank as it is now."""
        self._catalogue = store.catalogue
        self._whole = store.catalogue.ids_are_whole_numbers()
        self._keys: tuple[TextIds, np.ndarray] | None = None

    def rows_of(self, texts: TextIds) -> tuple[np.ndarray, pa.Array]:
        """One row per id: a text with two ids has two rows.

        Args:
            texts: numbers, in any order, also repeated.

        Returns:
            For each row the place of its text in `texts`, int64 `[rows]`, and its id `[rows]`.
        """
        if len(texts) and 0 <= texts[-1] - texts[0] < _SPARSE * len(texts):  # in a scan each text has one id: no dict
            pairs = self._catalogue.ids_between(int(texts[0]), int(texts[-1]))
            if np.array_equal([text for text, _ in pairs], texts):
                return np.arange(len(texts)), self.column([name for _, name in pairs])
        named = self.all_of(texts)
        owners = np.repeat(np.arange(len(named)), [len(names) for names in named])
        return owners, self.column([name for names in named for name in names])

    def first_of(self, texts: TextIds) -> pa.Array:
        """The first id of each text `[texts]`, or its hash."""
        return self.column([names[0] for names in self.all_of(texts)])

    def all_of(self, texts: TextIds) -> list[list[Any]]:
        """All ids of each text, in order; a text without one has its hash, in hexadecimal.

        Args:
            texts: numbers, in any order, also repeated.
        """
        distinct = np.unique(texts)
        named: dict[int, list[Any]] = {text: [] for text in distinct.tolist()}
        for start in range(0, len(distinct), _STRETCH):
            stretch = distinct[start : start + _STRETCH]
            first, last = int(stretch[0]), int(stretch[-1])
            dense = last - first < _SPARSE * len(stretch)
            spans = [(first, last)] if dense else [(text, text) for text in stretch.tolist()]
            for span in spans:
                for text, name in self._catalogue.ids_between(*span):
                    if text in named:
                        named[text].append(name)
        nameless = np.array([text for text, names in named.items() if not names], np.int64)
        named.update(zip(nameless.tolist(), ([name] for name in self._hashes(nameless)), strict=True))
        return [named[text] for text in np.asarray(texts).tolist()]

    def column(self, names: Sequence[Any]) -> pa.Array:
        """Names of texts as a column, of the one type that the bank's names have."""
        return pa.array(names, pa.int64()) if self._whole else pa.array([str(name) for name in names], pa.string())

    def _hashes(self, texts: TextIds) -> list[str]:
        """The hashes of ascending texts; of one that was forgotten meanwhile, a word with its number."""
        if not len(texts):
            return []
        if self._keys is None or not np.isin(texts, self._keys[0]).all():
            self._keys = self._catalogue.numbered_keys()
        numbers, keys = self._keys
        places = np.minimum(np.searchsorted(numbers, texts), max(len(numbers) - 1, 0)).tolist()
        return [
            bytes(keys[place]).hex() if len(numbers) and numbers[place] == text else f"forgotten-{text}"
            for text, place in zip(texts.tolist(), places, strict=True)
        ]


def given_ids(ids: Sequence[Any]) -> pa.Array:
    """Ids that the user gave with rows, as a column: whole numbers if all of them are, otherwise strings."""
    if all(isinstance(name, int) for name in ids if name is not None):
        return pa.array(ids, pa.int64())
    return pa.array([None if name is None else str(name) for name in ids], pa.string())
