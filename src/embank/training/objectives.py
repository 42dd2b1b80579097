"""What a tail is trained for, by kind: targets of examples, and predictions and measures out of its outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Int32, Int64
from scipy.special import softmax

from embank.encoders import Places
from embank.heads import Affine
from embank.heads.calibration import temperature
from embank.heads.served import ServedHead
from embank.heads.thresholds import multi_offsets, single_offsets
from embank.labels.answers import Answer, best_span, span_targets, span_text
from embank.labels.kinds import Kind
from embank.labels.tags import (
    IGNORED,
    first_subwords,
    legal,
    tag_targets,
    tags_of,
    word_of_tokens,
)
from embank.metrics.classification import PRIMARY, baseline, measures
from embank.metrics.spans import squad_scores
from embank.metrics.tagging import has_entities, tagging_measures
from embank.texts import Text

Outputs = Sequence[np.ndarray]
"""For each example what a tail gave: `[outputs]`, or `[tokens, outputs]` of kinds that read tokens."""

Which = Int64[np.ndarray, " batch"]


class Objective(Protocol):
    """One task's examples, as a tail is trained and scored on them."""

    @property
    def kind(self) -> Kind:
        """What is predicted."""
        ...

    @property
    def n_outputs(self) -> int:
        """Outputs of the tail."""
        ...

    @property
    def primary(self) -> str:
        """The measure that counts."""
        ...

    def targets(self, which: Which, length: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Targets of some examples, padded to `length` where they are per token, and where spans may stand, or None."""
        ...

    def beginning(self, train: Which) -> np.ndarray | None:
        """What the output layer's bias begins as, `[outputs]`, so that rare labels begin rare; None for zeros."""
        ...

    def measure(self, which: Which, outputs: Outputs) -> dict[str, float]:
        """How good outputs of some examples are."""
        ...

    def guess(self, train: Which, which: Which) -> dict[str, float]:
        """The measures of guessing without reading, from what training examples show."""
        ...

    def calibrated(self, which: Which, outputs: Outputs) -> dict[str, Any]:
        """What is learned from outputs on held-back examples: temperature and offsets; also scale and names."""
        ...


@dataclass(frozen=True, eq=False)
class PooledObjective:
    """A class, labels or a number for each text.

    Attributes:
        kind: "single", "multi" or "regression".
        y: class names `[texts]`, a 0/1 matrix `[texts, labels]`, or numbers `[texts]`.
        labels: names of classes or labels; empty for a regression.
        train: examples that are trained on: numbers are brought to their mean 0 and deviation 1.
    """

    kind: Kind
    y: np.ndarray
    labels: tuple[str, ...]
    train: Which

    @property
    def n_outputs(self) -> int:
        """As many as labels; one for a number."""
        return max(1, len(self.labels))

    @property
    def primary(self) -> str:
        """The measure that counts."""
        return PRIMARY[self.kind]

    @cached_property
    def scale(self) -> tuple[float, float]:
        """Mean and deviation of the numbers that are trained on; 0 and 1 for labels."""
        if self.kind != "regression":
            return 0.0, 1.0
        numbers = self.y[self.train]
        return float(numbers.mean()), float(numbers.std()) or 1.0

    @cached_property
    def _numbers(self) -> np.ndarray:
        if self.kind == "single":
            return np.searchsorted(np.array(self.labels), self.y).astype(np.int64)
        if self.kind == "multi":
            return self.y.astype(np.float32)
        return ((self.y - self.scale[0]) / self.scale[1]).astype(np.float32)

    def targets(self, which: Which, length: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Class numbers, 0 and 1, or scaled numbers."""
        del length
        return torch.from_numpy(self._numbers[which]), None

    def beginning(self, train: Which) -> np.ndarray | None:
        """Log odds of labels of which a text may have several; for classes it made no difference."""
        if self.kind != "multi":
            return None
        with_it = self.y[train].sum(axis=0)
        odds: np.ndarray = np.log((with_it + 1) / (len(train) - with_it + 1)).astype(np.float32)
        return odds

    def measure(self, which: Which, outputs: Outputs) -> dict[str, float]:
        """As for linear heads; decisions are plain."""
        return self.measure_served(self.served({}), which, outputs)

    def measure_served(self, head: ServedHead, which: Which, outputs: Outputs) -> dict[str, float]:
        """As for linear heads, decided as the head decides."""
        decided = head.decide(self.scaled(np.stack(outputs)))
        guess = np.array(self.labels)[decided] if self.kind == "single" else decided
        return measures(self.y[which], guess, self.kind)

    def scaled(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs in the unit of the numbers."""
        mean, deviation = self.scale
        return (outputs * deviation + mean).astype(np.float32) if self.kind == "regression" else outputs

    def guess(self, train: Which, which: Which) -> dict[str, float]:
        """As for linear heads."""
        return baseline(self.y[train], self.y[which], self.kind)

    def calibrated(self, which: Which, outputs: Outputs) -> dict[str, Any]:
        """Temperature and offsets, as for linear heads; mean and deviation of numbers."""
        if self.kind == "regression":
            return {"scale": list(self.scale)}
        logits, truth = np.stack(outputs), self._numbers[which]
        lean = single_offsets if self.kind == "single" else multi_offsets
        found = temperature(logits, truth, self.kind)
        return {"temperature": found, "offsets": [float(one) for one in lean(logits, truth.astype(np.int64))]}

    def served(self, learned: Mapping[str, Any]) -> ServedHead:
        """A head that decides as this kind does; it has no weights of its own."""
        return decider(self.kind, self.labels, learned)


@dataclass(frozen=True, eq=False)
class TaggingObjective:
    """A tag for each word.

    Attributes:
        tags: of each text, one a word.
        names: the tags that there are.
        words: for each text, the word of each token; -1 for none.
    """

    tags: Sequence[Sequence[str]]
    names: tuple[str, ...]
    words: Sequence[Int32[np.ndarray, " tokens"]]
    kind: Kind = "tagging"

    @property
    def n_outputs(self) -> int:
        """As many as tags."""
        return len(self.names)

    @property
    def primary(self) -> str:
        """F1 of entities, or the accuracy of words where tags are no entities."""
        return "entity_f1" if has_entities(self.names) else "accuracy"

    @cached_property
    def _targets(self) -> list[np.ndarray]:
        return [tag_targets(tags, words, self.names) for tags, words in zip(self.tags, self.words, strict=True)]

    def targets(self, which: Which, length: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Numbers of tags at first sub-words."""
        padded = np.full((len(which), length), IGNORED, np.int64)
        for row, at in enumerate(which):
            padded[row, : len(self._targets[at])] = self._targets[at]
        return torch.from_numpy(padded), None

    def beginning(self, train: Which) -> np.ndarray | None:
        """Logarithms of the tags' shares: most words are outside, and nothing but this bias has to learn that."""
        found = np.concatenate([self._targets[at] for at in train])
        counts = np.bincount(found[found != IGNORED], minlength=self.n_outputs) + 1
        shares: np.ndarray = np.log(counts / counts.sum()).astype(np.float32)
        return shares

    def measure(self, which: Which, outputs: Outputs) -> dict[str, float]:
        """Entity F1, precision, recall and accuracy; or accuracy and macro-F1."""
        guess = [
            word_tags(logits, self.words[at], len(self.tags[at]), self.names)[0]
            for at, logits in zip(which, outputs, strict=True)
        ]
        return tagging_measures([self.tags[at] for at in which], guess)

    def guess(self, train: Which, which: Which) -> dict[str, float]:
        """The commonest tag everywhere."""
        names, counts = np.unique([tag for at in train for tag in self.tags[at]], return_counts=True)
        common = str(names[counts.argmax()])
        return tagging_measures([self.tags[at] for at in which], [[common] * len(self.tags[at]) for at in which])

    def calibrated(self, which: Which, outputs: Outputs) -> dict[str, Any]:
        """Temperature of the words' logits."""
        logits, truth = [], []
        for at, own in zip(which, outputs, strict=True):
            first = self._targets[at] != IGNORED
            logits.append(own[first])
            truth.append(self._targets[at][first])
        return {"temperature": temperature(np.concatenate(logits), np.concatenate(truth), "single")}


@dataclass(frozen=True, eq=False)
class SpanObjective:
    """A stretch of the context that answers a question.

    Attributes:
        answers: of each pair.
        texts: the pairs, question and context.
        places: where their tokens stand.
    """

    answers: Sequence[Answer]
    texts: Sequence[Text]
    places: Sequence[Places]
    kind: Kind = "span"
    n_outputs: int = 2
    primary: str = "f1"

    @cached_property
    def _targets(self) -> np.ndarray:
        found = [
            span_targets(answer, own.starts, own.ends, own.halves == 1)
            for answer, own in zip(self.answers, self.places, strict=True)
        ]
        return np.where(np.array(found) < 0, IGNORED, np.array(found))

    def targets(self, which: Which, length: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Places of the first and last token, and which tokens are the context's."""
        allowed = np.zeros((len(which), length), np.int64)
        for row, at in enumerate(which):
            halves = self.places[at].halves
            allowed[row, : len(halves)] = halves == 1
        return torch.from_numpy(self._targets[which]), torch.from_numpy(allowed)

    def beginning(self, train: Which) -> np.ndarray | None:
        """Nothing is known of a place before it is read."""
        del train
        return None

    def measure(self, which: Which, outputs: Outputs) -> dict[str, float]:
        """Exact match and F1 of SQuAD."""
        guess = [
            answer_of(self.texts[at], self.places[at], logits)[0] for at, logits in zip(which, outputs, strict=True)
        ]
        return squad_scores(guess, [self.answers[at] for at in which])

    def guess(self, train: Which, which: Which) -> dict[str, float]:
        """The whole context."""
        del train
        return squad_scores([_context(self.texts[at]) for at in which], [self.answers[at] for at in which])

    def calibrated(self, which: Which, outputs: Outputs) -> dict[str, Any]:
        """Nothing: a span's score is the probability as the tail gives it."""
        del which, outputs
        return {}


def decider(kind: Kind, labels: Sequence[str], learned: Mapping[str, Any]) -> ServedHead:
    """A head that only decides and calibrates: its outputs are a tail's."""
    outputs = max(1, len(labels))
    nothing = Affine(np.eye(outputs, dtype=np.float32), np.zeros(outputs, np.float32))
    offsets = tuple(learned.get("offsets", ()))
    return ServedHead(
        kind=kind,
        labels=tuple(labels),
        layers=(nothing,),
        temperature=float(learned.get("temperature", 1.0)),
        offsets=offsets,
    )


def word_tags(
    logits: np.ndarray, words: Int32[np.ndarray, " tokens"], n_words: int, names: Sequence[str], cooled: float = 1.0
) -> tuple[tuple[str | None, ...], tuple[float | None, ...]]:
    """Tags of a text's words, and the calibrated probability of each; None for words that were not read."""
    first = first_subwords(words)
    chosen = np.zeros(len(words), np.int64)
    chosen[first] = legal(logits[first], names)
    tags = tags_of(chosen, words, n_words, names)
    scores: list[float | None] = [None] * n_words
    probabilities = softmax(logits[first] / cooled, axis=1)
    for word, number, row in zip(words[first].tolist(), chosen[first].tolist(), probabilities, strict=True):
        scores[word] = float(row[number])
    return tags, tuple(scores)


def answer_of(text: Text, places: Places, logits: np.ndarray) -> tuple[str, float]:
    """The answer that a context gives, and its probability."""
    start, end, score = best_span(logits[:, 0], logits[:, 1], (places.halves == 1) & (places.starts < places.ends))
    return span_text(_context(text), places.starts, places.ends, (start, end)), score


def words_of(text: Text, places: Places) -> Int32[np.ndarray, " tokens"]:
    """The word of each token of a text."""
    plain = text if isinstance(text, str) else text[0]
    words = word_of_tokens(plain, places.starts, places.ends)
    return np.where(places.halves == 0, words, -1).astype(np.int32)


def _context(text: Text) -> str:
    return text[1] if isinstance(text, tuple) else text
