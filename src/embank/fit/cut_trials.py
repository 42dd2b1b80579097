"""Where to cut: short trials of a one-layer tail on the states of a quarter, half and three quarters of the depth.

Curves of linear probes do not tell where a tail starts best; a short run of a one-layer tail does. The trials read
training rows, and are compared on validation rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embank.arrays import TextIds, Vectors
from embank.encoders import Readout
from embank.encoders.batching import batches
from embank.encoders.torch import TransformerEncoder
from embank.fit import Examples
from embank.models.tail import build_tail
from embank.models.tail_design import TailDesign
from embank.recipe import STATES
from embank.texts import Text
from embank.training.datasets import Which
from embank.training.objectives import TaskObjective
from embank.training.settings import TrainingSettings
from embank.training.state_inputs import StateInputs
from embank.training.supervised import LabelledSplit, train_supervised

_TRAINED = 480
_SCORED = 240
"""Examples that a trial trains on, and is scored on, at the most."""

_EPOCHS = 4
"""Passes of a trial."""

NEARLY = 0.005
"""Trials that differ by less than this are equal; then the later cut wins, which costs less ever after."""


class MemorySource:
    """States that a trial keeps in memory."""

    def __init__(self, states: Mapping[int, Vectors]) -> None:
        """Serve states by text number."""
        self._states = states

    def lengths(self, texts: TextIds) -> np.ndarray:
        """Tokens of each text."""
        return np.array([len(self._states[number]) for number in texts.tolist()], np.int64)

    def blocks(self, texts: TextIds) -> list[Vectors]:
        """States of each text."""
        return [self._states[number] for number in texts.tolist()]


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


def states_at(encoder: TransformerEncoder, texts: Sequence[Text], cuts: Sequence[int]) -> dict[int, list[Vectors]]:
    """States of texts at several layers, out of one pass."""
    readouts = [Readout(cut, STATES) for cut in cuts]
    tokens = encoder.tokens(texts)
    found: dict[int, list[Vectors]] = {cut: [np.empty((0, 0), np.float32)] * len(texts) for cut in cuts}
    for rows, batch in batches(tokens, encoder.budget, encoder.padding):
        for cut, padded in zip(cuts, encoder.vectors(batch, readouts), strict=True):
            for row, own in zip(rows.tolist(), padded, strict=True):
                found[cut][row] = own[: len(tokens.ids[row])].copy()
    return found


@dataclass(frozen=True, eq=False, kw_only=True)
class CutTrials:
    """Short trials of one task at several cuts.

    Attributes:
        upper: loads the encoder anew for each trial.
        objective: what is asked of the sampled examples.
        train: numbers of the examples that are trained on.
        held_back: numbers of those that the trials are compared on.
        design: of a one-layer tail; its cut is replaced.
        training: settings with a learning rate.
    """

    upper: Callable[[], TransformerEncoder]
    objective: TaskObjective
    train: Which
    held_back: Which
    design: TailDesign
    training: TrainingSettings

    def score(self, cut: int, states: Sequence[Vectors]) -> float:
        """Train a tail at a cut; returns its validation score.

        Args:
            cut: the layer that it starts from.
            states: of that layer, `[tokens, width]` for each of the examples.
        """
        encoder = self.upper()
        design = replace(self.design, cut=cut)
        tail = build_tail(encoder.model, encoder.n_layers, design, self.training.seed)
        everything = np.arange(len(states))
        inputs = StateInputs(MemorySource(dict(enumerate(states))), everything, encoder.tokenizing.skip)
        data = LabelledSplit(inputs, self.objective, self.train, self.held_back)
        trained = train_supervised(tail, data, replace(self.training, epochs=_EPOCHS))
        return float(trained.position.best)


def best_cut(scores: Mapping[int, float]) -> int:
    """The cut of the best score; of nearly equal ones the latest.

    >>> best_cut({2: 0.801, 3: 0.80, 4: 0.75})
    3
    """
    highest = max(scores.values())
    return max(cut for cut, score in scores.items() if score > highest - NEARLY)
