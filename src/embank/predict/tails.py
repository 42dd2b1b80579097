"""Tails at work: all that start from the same states share one read of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from embank.arrays import TextIds
from embank.optional import load
from embank.predict import LoadedTask, TaskOutputs
from embank.predict.output_columns import answer_columns
from embank.recipe import ColumnName
from embank.store import StoredTask
from embank.store.folder import Store
from embank.store.kept_texts import kept_texts
from embank.texts import Text

Upper = Callable[[ColumnName], Any]
"""Loads an encoder in torch and float32, for a tail to take apart."""

Lower = Callable[[ColumnName, Sequence[Text]], Any]
"""Opens the encoder for states that are not banked."""


@dataclass(frozen=True, eq=False)
class LoadedTail:
    """A tail that is ready to predict.

    Attributes:
        name: of the task.
        kind: of the task.
        stored: its design, labels and what it learned.
        module: the torch module.
        tokenizing: of its encoder; kinds that read tokens need it.
        record: what `fit` recorded.
    """

    name: str
    kind: str
    stored: Any
    module: Any
    tokenizing: Any
    record: Mapping[str, Any]


class Tails:
    """The tails of a bank that predict in one scan."""

    def __init__(self, store: Store, tasks: Iterable[StoredTask], lent: tuple[Upper, Lower]) -> None:
        """Load them.

        Args:
            store: the bank.
            tasks: those that are tails.
            lent: what the bank lends.

        Raises:
            HeadError: a tail is damaged, or its encoder has changed.
            EncoderError: its encoder cannot be found.
        """
        self._store = store
        self._upper, self._lower = lent
        self._by_column: dict[str, list[LoadedTail]] = {}
        for task in tasks:
            self._by_column.setdefault(task.record["states"], []).append(self._load(task))
        self.hits = self.misses = 0

    @property
    def names(self) -> list[str]:
        """Names of the tasks."""
        return [tail.name for tails in self._by_column.values() for tail in tails]

    def answer(self, texts: TextIds, contents: Mapping[int, Text], *, proba: bool) -> dict[str, pa.Array]:
        """Columns of a table for a block of texts; null where states can be had nowhere.

        Args:
            texts: numbers of texts.
            contents: those of them that the user gave, by number.
            proba: add the probabilities of all classes.
        """
        columns: dict[str, pa.Array] = {}
        learning = load("embank.training.fit", "torch")
        sources = load("embank.encode.state_loader", "torch")
        for name, tails in self._by_column.items():
            column = ColumnName.parse(name)
            needed = dict(contents)
            if any(tail.kind in ("tagging", "span") for tail in tails):
                needed |= kept_texts(self._store, [number for number in texts.tolist() if number not in needed])
            source = sources.StateSource(self._store, name, lambda some, own=column: self._lower(own, some), needed)
            there = source.reachable(texts)
            skip = tails[0].tokenizing.skip
            outputs = learning.run_tails({tail.name: tail.module for tail in tails}, source, texts[there], skip)
            rows = np.where(there, np.cumsum(there) - 1, -1)
            for tail in tails:
                columns |= self._columns(tail, outputs[tail.name], (texts, rows, needed), proba=proba)
            self.hits += source.hits
            self.misses += source.misses
        return columns

    def _load(self, task: StoredTask) -> LoadedTail:
        modules = load("embank.models.tail", "torch")
        storage = load("embank.models.tail_file", "torch")
        stored = storage.load_tail(self._store.root / task.folder)
        encoder = self._upper(ColumnName.parse(task.record["states"]))
        module = modules.build_tail(encoder.model, encoder.n_layers, stored.design, stored.seed)
        module.load(stored.weights)
        return LoadedTail(task.name, stored.design.kind, stored, module, encoder.tokenizing, task.record)

    def _columns(
        self,
        tail: LoadedTail,
        outputs: Sequence[np.ndarray],
        block: tuple[TextIds, np.ndarray, Mapping[int, Text]],
        *,
        proba: bool,
    ) -> dict[str, pa.Array]:
        objectives = load("embank.training.objectives", "torch")
        texts, rows, contents = block
        learned, labels = tail.stored.learned, tail.stored.labels
        if tail.kind in ("single", "multi", "regression"):
            head = objectives.decider(tail.kind, labels, learned)
            stacked = np.stack(outputs) if len(outputs) else np.empty((0, max(1, len(labels))), np.float32)
            mean, deviation = learned.get("scale", (0.0, 1.0))
            scaled = (stacked * deviation + mean).astype(np.float32)
            task = LoadedTask(tail.name, head, (), tail.record["reads"], tail.record)
            return answer_columns(TaskOutputs(task, scaled, rows), proba=proba)
        known = [at for at, number in enumerate(texts.tolist()) if rows[at] >= 0 and number in contents]
        given = [contents[int(texts[at])] for at in known]
        places = dict(zip(known, tail.tokenizing.places(given), strict=True))
        found: list[tuple[Any, Any]] = [(None, None)] * len(texts)
        for at, own in places.items():
            text, logits = contents[int(texts[at])], outputs[int(rows[at])]
            if tail.kind == "span":
                found[at] = objectives.answer_of(text, own, logits)
            else:
                words = objectives.words_of(text, own)
                n_words = len((text if isinstance(text, str) else text[0]).split())
                cooled = float(learned.get("temperature", 1.0))
                tags, scores = objectives.word_tags(logits, words, n_words, labels, cooled)
                found[at] = (list(tags), [None if score is None else round(score, 6) for score in scores])
        strings, numbers = (
            (pa.string(), pa.float32()) if tail.kind == "span" else (pa.list_(pa.string()), pa.list_(pa.float64()))
        )
        return {
            tail.name: pa.array([one for one, _ in found], strings),
            f"{tail.name}_score": pa.array([score for _, score in found], numbers),
        }
