"""Duplicates in a bank: ids of one text, and texts that are nearly the same, as groups in a table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from embank.dedup import DedupSettings, Members
from embank.dedup.grouping import Grouping, Progress
from embank.search.column import SearchedColumn, full_name
from embank.search.graph_cache import current_graph
from embank.session import Session
from embank.store.folder import Store
from embank.store.ids import TextNames
from embank.store.kept_texts import kept_texts

_BLOCK: Final = 4096
"""Members that are named at a time."""


@dataclass(frozen=True, kw_only=True)
class DedupReport:
    """What a deduplication found.

    Attributes:
        column: whose vectors were compared.
        way: "exact", or "approximate": then some near duplicates may be missing.
        texts: how many have one.
        known: of these, how many had been grouped by an earlier run.
        compared: pairs of texts that were compared in this run.
        groups: groups of two ids or more.
        texts_in_groups: texts in groups of two texts or more.
        repeated_ids: ids beyond the first of a text: exact duplicates.
        without: texts of the bank without a vector in the column; they were not looked at.
    """

    column: str
    way: str
    texts: int
    known: int
    compared: int
    groups: int
    texts_in_groups: int
    repeated_ids: int
    without: int


class Duplicates:
    """Groups of nearly equal texts, and of ids of one text; `blocks` gives them as a table, `report` in numbers.

    Every text is compared with every other one, once: a second run at the same threshold compares new texts only, and
    gives the groups that a first run over all of them would give. An approximate run compares each text with what the
    column's graph finds near it, and may miss some pairs.
    """

    def __init__(self, session: Session, settings: DedupSettings, progress: Progress = lambda *_: None) -> None:
        """Find them.

        Args:
            session: of the bank; what was found is kept in its folder.
            settings: threshold and column.
            progress: called with the number of texts that have been compared, and that are to be compared.

        Raises:
            UsageError: unknown column, or one of states.
            ExtraMissingError: an approximate run without usearch.
        """
        self._store = store = session.store
        searched = SearchedColumn(store, full_name(session, settings.column))
        column = searched.stored
        index = current_graph(store, searched)[0] if settings.way == "approximate" else None
        grouping = Grouping(store, column, settings.threshold, index)
        found = grouping.groups(progress)
        near = grouping.members(found)
        repeated, twice = _repeated(store, found.texts)
        self._members = _with(near, twice)
        self.report = DedupReport(
            column=column.name,
            way=settings.way,
            texts=len(found.texts),
            known=found.known,
            compared=found.compared,
            groups=len(np.unique(self._members.representatives)),
            texts_in_groups=len(near.texts),
            repeated_ids=repeated,
            without=store.catalogue.n_texts() - len(found.texts),
        )

    def blocks(self) -> Iterator[dict[str, Any]]:
        """One row per id, group after group, the representative first.

        Yields:
            `group` (from 0), `representative` (its id), `id`, `score` (cosine with the representative; 1 for the
            representative itself and for ids of its very text), `exact` (whether it is the representative's very
            text), and `text` where the bank keeps texts.
        """
        members = self._members
        numbers = np.unique(members.representatives, return_inverse=True)[1]
        store = self._store
        names = TextNames(store)
        keeps = store.catalogue.body_counts()[0] > 0
        for start in range(0, len(members.texts), _BLOCK):
            part = slice(start, start + _BLOCK)
            texts = members.texts[part]
            each, ids = names.rows_of(texts)
            firsts = names.first_of(members.representatives[part]).to_pylist()
            exact = texts == members.representatives[part]
            block: dict[str, Any] = {
                "group": numbers[part][each],
                "representative": [firsts[at] for at in each.tolist()],
                "id": ids.to_pylist(),
                "score": members.scores[part][each],
                "exact": exact[each],
            }
            if keeps:
                kept = kept_texts(store, texts.tolist())
                bodies = [kept.get(text) for text in texts.tolist()]
                shown = [" | ".join(body) if isinstance(body, tuple) else body for body in bodies]
                block["text"] = [shown[at] for at in each.tolist()]
            yield block


def _repeated(store: Store, texts: np.ndarray) -> tuple[int, np.ndarray]:
    """How many ids are not the first of their text, and which texts have several."""
    repeated = 0
    twice = [np.empty(0, np.int64)]
    for start in range(0, len(texts), _BLOCK):
        stretch = texts[start : start + _BLOCK]
        named = store.catalogue.ids_between(int(stretch[0]), int(stretch[-1]))
        numbers, counts = np.unique(np.array([text for text, _ in named], np.int64), return_counts=True)
        several = (counts > 1) & np.isin(numbers, stretch)
        repeated += int((counts[several] - 1).sum())
        twice.append(numbers[several])
    return repeated, np.concatenate(twice)


def _with(near: Members, twice: np.ndarray) -> Members:
    """Members of groups, and texts with several ids as groups of their own where they are in none."""
    alone = np.setdiff1d(twice, near.texts)
    texts = np.concatenate([near.texts, alone])
    representatives = np.concatenate([near.representatives, alone])
    scores = np.concatenate([near.scores, np.ones(len(alone), np.float32)])
    order = np.lexsort((texts, representatives))
    return Members(texts[order], representatives[order], scores[order])
