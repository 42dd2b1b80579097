"""Where to cut: short trials of a one-layer tail on the states of a quarter, half and three quarters of the depth.

Curves of linear probes do not tell where a tail starts best; a short run of a one-layer tail does. The trials read
training rows, and are compared on validation rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from embank.arrays import TextIds, Vectors
from embank.encoders import Readout
from embank.encoders.batching import batches
from embank.fit import Examples
from embank.models.tail_design import TailDesign
from embank.optional import load
from embank.recipe import STATES
from embank.texts import Text
from embank.training.settings import TrainingSettings

DEPTHS = (0.25, 0.5, 0.75)

_TRAINED = 480
_SCORED = 240
_EPOCHS = 4

NEARLY = 0.005
"""Trials that differ by less than this are equal; then the later cut wins, which costs less ever after."""


class MemorySource:
    """States that a trial keeps in memory."""

    def __init__(self, states: dict[int, Vectors]) -> None:
        """Serve states by text number."""
        self._states = states

    def lengths(self, texts: TextIds) -> np.ndarray:
        """Tokens of each text."""
        return np.array([len(self._states[number]) for number in texts.tolist()], np.int64)

    def blocks(self, texts: TextIds) -> list[Vectors]:
        """States of each text."""
        return [self._states[number] for number in texts.tolist()]


def cuts_of(layers: int) -> tuple[int, ...]:
    """The layers that are tried.

    >>> cuts_of(6), cuts_of(12), cuts_of(2)
    ((2, 3, 5), (3, 6, 9), (1,))
    """
    return tuple(sorted({min(layers - 1, max(1, int(layers * depth + 0.5))) for depth in DEPTHS}))


def sampled(examples: Examples) -> Examples:
    """Few enough examples for a trial: the first ones of each part, as the order of examples is the user's own."""
    held = np.array(examples.held_back, np.bool_)
    random = np.random.default_rng(0)
    chosen = np.sort(
        np.concatenate(
            [random.permutation(np.flatnonzero(part))[:most] for part, most in ((~held, _TRAINED), (held, _SCORED))]
        )
    )
    values = [examples.values[at] for at in chosen]
    return Examples(examples.texts[chosen], None, values, held[chosen].tolist())


def states_at(encoder: Any, texts: Sequence[Text], cuts: Sequence[int]) -> dict[int, list[Vectors]]:
    """States of texts at several layers, out of one pass."""
    readouts = [Readout(cut, STATES) for cut in cuts]
    tokens = encoder.tokens(texts)
    found: dict[int, list[Vectors]] = {cut: [np.empty((0, 0), np.float32)] * len(texts) for cut in cuts}
    for rows, batch in batches(tokens, encoder.budget, encoder.padding):
        for cut, padded in zip(cuts, encoder.vectors(batch, readouts), strict=True):
            for row, own in zip(rows.tolist(), padded, strict=True):
                found[cut][row] = own[: len(tokens.ids[row])].copy()
    return found


def trial_scores(
    upper: Callable[[], Any],
    states: dict[int, dict[int, Vectors]],
    task: tuple[Any, Examples, TailDesign],
    training: TrainingSettings,
) -> dict[int, float]:
    """Validation scores of one-layer tails.

    Args:
        upper: loads the encoder anew for each trial.
        states: by cut, then by text number.
        task: objective, sampled examples, and the design that is tried at every cut.
        training: settings with a learning rate.
    """
    modules = load("embank.models.tail", "torch")
    learning = load("embank.training.fit", "torch")
    objective, examples, design = task
    held = np.array(examples.held_back, np.bool_)
    scores = {}
    for cut, by_text in states.items():
        encoder = upper()
        tail = modules.build_tail(encoder.model, encoder.n_layers, replace(design, cut=cut, layers=1), training.seed)
        lessons = learning.StateLessons(MemorySource(by_text), examples.texts, objective, encoder.tokenizing.skip)
        assignment = learning.Assignment(lessons, objective, np.flatnonzero(~held), np.flatnonzero(held))
        trained = learning.learn(tail, assignment, replace(training, epochs=_EPOCHS))
        scores[cut] = float(trained.position.best)
    return scores


def best_cut(scores: dict[int, float]) -> int:
    """The cut of the best score; of nearly equal ones the latest.

    >>> best_cut({2: 0.801, 3: 0.80, 4: 0.75})
    3
    """
    highest = max(scores.values())
    return max(cut for cut, score in scores.items() if score > highest - NEARLY)
