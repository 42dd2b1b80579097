"""Objectives of kinds that read every token: a tag for each word, or the span that answers a question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Int32
from scipy.special import softmax

from embank.encoders import Places
from embank.heads.calibration import temperature
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
from embank.metrics.spans import squad_scores
from embank.metrics.tagging import has_entities, tagging_measures
from embank.texts import Text
from embank.training.datasets import Which
from embank.training.losses import span_loss, tagging_loss
from embank.training.objectives import PLAIN, Outputs, Targets


@dataclass(frozen=True, eq=False)
class TaggingObjective:
    """A tag for each word.

    Attributes:
        tags: of each text, one per word.
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

    def targets(self, which: Which, length: int) -> Targets:
        """Numbers of tags at first sub-words."""
        padded = np.full((len(which), length), IGNORED, np.int64)
        for row, at in enumerate(which):
            padded[row, : len(self._targets[at])] = self._targets[at]
        return Targets(torch.from_numpy(padded))

    def loss(self, outputs: torch.Tensor, targets: Targets) -> torch.Tensor:
        """Cross entropy of the first sub-words of all words."""
        return tagging_loss(outputs, targets.values)

    def init_bias(self, train: Which) -> np.ndarray | None:
        """Logarithms of the tags' shares: most words are outside, and the weights need not learn that."""
        found = np.concatenate([self._targets[at] for at in train])
        counts = np.bincount(found[found != IGNORED], minlength=self.n_outputs) + 1
        shares: np.ndarray = np.log(counts / counts.sum()).astype(np.float32)
        return shares

    def measure(self, which: Which, outputs: Outputs, learned: Mapping[str, Any] = PLAIN) -> dict[str, float]:
        """Entity F1, precision, recall and accuracy; or accuracy and macro-F1. Calibration changes no decision."""
        del learned
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


@dataclass(frozen=True, eq=False, kw_only=True)
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

    def targets(self, which: Which, length: int) -> Targets:
        """Places of the first and last token, and which tokens are the context's."""
        allowed = np.zeros((len(which), length), np.int64)
        for row, at in enumerate(which):
            halves = self.places[at].halves
            allowed[row, : len(halves)] = halves == 1
        return Targets(torch.from_numpy(self._targets[which]), torch.from_numpy(allowed))

    def loss(self, outputs: torch.Tensor, targets: Targets) -> torch.Tensor:
        """Cross entropies of the first and the last token, among the context's."""
        allowed = torch.ones(outputs.shape[:2]) if targets.allowed is None else targets.allowed
        return span_loss(outputs, targets.values, allowed)

    def init_bias(self, train: Which) -> np.ndarray | None:
        """None: all places begin alike."""
        del train
        return None

    def measure(self, which: Which, outputs: Outputs, learned: Mapping[str, Any] = PLAIN) -> dict[str, float]:
        """Exact match and F1 of SQuAD. Calibration changes no decision."""
        del learned
        guess = [
            answer_of(self.texts[at], self.places[at], logits)[0] for at, logits in zip(which, outputs, strict=True)
        ]
        return squad_scores(guess, [self.answers[at] for at in which])

    def guess(self, train: Which, which: Which) -> dict[str, float]:
        """The whole context."""
        del train
        return squad_scores([_context(self.texts[at]) for at in which], [self.answers[at] for at in which])

    def calibrated(self, which: Which, outputs: Outputs) -> dict[str, Any]:
        """Empty: a span's score is the probability as the tail gives it."""
        del which, outputs
        return {}


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
    return span_text(_context(text), places.starts, places.ends, start, end), score


def words_of(text: Text, places: Places) -> Int32[np.ndarray, " tokens"]:
    """The word of each token of a text."""
    plain = text if isinstance(text, str) else text[0]
    words = word_of_tokens(plain, places.starts, places.ends)
    return np.where(places.halves == 0, words, -1).astype(np.int32)


def _context(text: Text) -> str:
    return text[1] if isinstance(text, tuple) else text
