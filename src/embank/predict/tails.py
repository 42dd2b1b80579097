"""Predictions of tails: those that start from the same states share one read of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from embank.arrays import TextIds
from embank.encode.state_loader import StateSource
from embank.encoders.tokenizer import Tokenizing
from embank.labels.kinds import Kind
from embank.models.tail import Tail, build_tail
from embank.models.tail_file import StoredTail, load_tail
from embank.predict import LoadedTask, TaskOutputs
from embank.predict.output_columns import answer_columns
from embank.recipe import ColumnName
from embank.session import Session
from embank.store import StoredTask
from embank.store.kept_texts import kept_texts
from embank.texts import Text
from embank.training.objectives import decider
from embank.training.outputs import predict_together
from embank.training.state_inputs import StateInputs
from embank.training.token_objectives import answer_of, word_tags, words_of


@dataclass(frozen=True, eq=False, kw_only=True)
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
    kind: Kind
    stored: StoredTail
    module: Tail
    tokenizing: Tokenizing
    record: Mapping[str, Any]


class Tails:
    """The tails of a bank that predict in one scan."""

    def __init__(self, session: Session, tasks: Iterable[StoredTask]) -> None:
        """Load tails.

        Args:
            session: of the bank.
            tasks: those that are tails.

        Raises:
            HeadError: a tail is damaged, or its encoder has changed.
            EncoderError: its encoder cannot be found.
        """
        self._session, self._store = session, session.store
        self._by_column: dict[str, list[LoadedTail]] = {}
        for task in tasks:
            self._by_column.setdefault(task.record["states"], []).append(self._load(task))
        self.hits = self.misses = 0

    @property
    def names(self) -> list[str]:
        """Names of the tasks."""
        return [tail.name for tails in self._by_column.values() for tail in tails]

    def answer(self, texts: TextIds, contents: Mapping[int, Text], *, proba: bool) -> dict[str, pa.Array]:
        """Columns of a table for a block of texts; null where states are neither stored nor computable.

        Args:
            texts: numbers of texts.
            contents: those of them that the user gave, by number.
            proba: add the probabilities of all classes.
        """
        columns: dict[str, pa.Array] = {}
        for name, tails in self._by_column.items():
            needed = dict(contents)
            if any(tail.kind in ("tagging", "span") for tail in tails):
                needed |= kept_texts(self._store, [number for number in texts.tolist() if number not in needed])
            source = StateSource(self._session.encoders, name, needed)
            there = source.reachable(texts)
            skip = tails[0].tokenizing.skip
            states = StateInputs(source, texts[there], skip)
            modules = {tail.name: tail.module for tail in tails}
            outputs = predict_together(modules, states, np.arange(len(states.lengths)))
            rows = np.where(there, np.cumsum(there) - 1, -1)
            for tail in tails:
                if tail.kind in ("tagging", "span"):
                    given = [needed.get(number) for number in texts.tolist()]
                    columns |= _token_columns(tail, outputs[tail.name], rows, given)
                else:
                    columns |= _pooled_columns(tail, outputs[tail.name], rows, proba=proba)
            self.hits += source.hits
            self.misses += source.misses
        return columns

    def _load(self, task: StoredTask) -> LoadedTail:
        stored = load_tail(self._store.root / task.folder)
        encoder = self._session.encoders.torch_encoder(ColumnName.parse(task.record["states"]))
        module = build_tail(encoder.model, encoder.n_layers, stored.design, stored.seed)
        module.load(stored.weights)
        return LoadedTail(
            name=task.name,
            kind=stored.design.kind,
            stored=stored,
            module=module,
            tokenizing=encoder.tokenizing,
            record=task.record,
        )


def _pooled_columns(
    tail: LoadedTail, outputs: Sequence[np.ndarray], rows: np.ndarray, *, proba: bool
) -> dict[str, pa.Array]:
    """Label, score and probabilities of a tail that reads a text as a whole; `rows` are as in `TaskOutputs`."""
    assert tail.kind == "single" or tail.kind == "multi" or tail.kind == "regression"  # noqa: PLR1714, S101 - mypy narrows so
    learned, labels = tail.stored.learned, tail.stored.labels
    head = decider(tail.kind, labels, learned)
    stacked = np.stack(outputs) if len(outputs) else np.empty((0, max(1, len(labels))), np.float32)
    mean, deviation = learned.get("scale", (0.0, 1.0))
    scaled = (stacked * deviation + mean).astype(np.float32)
    task = LoadedTask(name=tail.name, head=head, columns=(), reads=tail.record["reads"], record=tail.record)
    return answer_columns(TaskOutputs(task, scaled, rows), proba=proba)


def _token_columns(
    tail: LoadedTail, outputs: Sequence[np.ndarray], rows: np.ndarray, texts: Sequence[Text | None]
) -> dict[str, pa.Array]:
    """Tags or answers with their scores, of a tail that reads each token; null for texts that are not known."""
    known = [(at, text) for at, text in enumerate(texts) if rows[at] >= 0 and text is not None]
    places = tail.tokenizing.places([text for _, text in known])
    temperature = float(tail.stored.learned.get("temperature", 1.0))
    found: list[tuple[Any, Any]] = [(None, None)] * len(texts)
    for (at, text), own in zip(known, places, strict=True):
        logits = outputs[int(rows[at])]
        if tail.kind == "span":
            found[at] = answer_of(text, own, logits)
            continue
        n_words = len((text if isinstance(text, str) else text[0]).split())
        tags, scores = word_tags(logits, words_of(text, own), n_words, tail.stored.labels, temperature)
        found[at] = (list(tags), [None if score is None else round(score, 6) for score in scores])
    strings, numbers = pa.string(), pa.float32()
    if tail.kind == "tagging":
        strings, numbers = pa.list_(pa.string()), pa.list_(pa.float64())
    return {
        tail.name: pa.array([one for one, _ in found], strings),
        f"{tail.name}_score": pa.array([score for _, score in found], numbers),
    }
