"""Where to cut: short trials of a one-layer tail on the states of a quarter, half and three quarters of the depth.

Curves of linear probes do not tell where a tail starts best; a short run of a one-layer tail does. The trials read
training rows, and are compared on validation rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from embank.arrays import TextIds, Vectors
from embank.encode.batch_encode import encode_texts
from embank.encoders import Readout
from embank.encoders.torch import TransformerEncoder
from embank.errors import HeadError
from embank.fit import Examples, FitSettings, LabelledTask
from embank.fit.objective import task_objective, texts_of
from embank.models.tail import build_tail
from embank.models.tail_settings import TailDesign, TailOptions, TailSettings, cuts_of, default_rate
from embank.recipe import STATES, ColumnName
from embank.session import Session
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
    """States of texts at several layers, out of one pass.

    Raises:
        HeadError: a text cannot be encoded.
    """
    readouts = {cut: Readout(cut, STATES) for cut in cuts}
    encoded = encode_texts(encoder, texts, list(readouts.values()))
    for reason in encoded.failures.values():
        raise HeadError(f"the states of {len(encoded.failures)} texts cannot be computed, of the first: {reason}")
    return {cut: encoded.states[readout] for cut, readout in readouts.items()}


@dataclass(frozen=True, eq=False, kw_only=True)
class CutTrials:
    """Short trials of one task at several cuts.

    Attributes:
        upper: loads the encoder anew for each trial.
        objective: of the sampled examples.
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


def choose_cut(
    session: Session, task: LabelledTask, column: ColumnName, settings: FitSettings
) -> tuple[int, dict[int, float]]:
    """Where a tail for these labels should start, and the validation scores of the trials.

    Args:
        session: of the bank.
        task: labelled texts, of which a sample is tried.
        column: of states of the encoder, at whatever layer.
        settings: of the fit.

    Raises:
        HeadError: the texts themselves can be had nowhere.
    """
    asked = settings.tail or TailSettings()
    sample = replace(task, examples=sampled(task.examples))
    examples, encoder = sample.examples, session.encoders.torch_encoder(column)
    train, held_back = examples.split
    objective, _ = task_objective(session.store, sample, train, encoder)
    texts = texts_of(session.store, sample, "trials of cuts need")
    cuts = cuts_of(encoder.n_layers)
    rate = asked.training.rate or default_rate("full", encoder.width)
    trials = CutTrials(
        upper=partial(session.encoders.torch_encoder, column),
        objective=objective,
        train=train,
        held_back=held_back,
        design=TailDesign(
            cut=cuts[0],
            method="full",
            kind=task.kind,
            outputs=objective.n_outputs,
            options=TailOptions(pooling=encoder.pooling),
            layers=1,
        ),
        training=replace(asked.training, rate=rate, seed=settings.seed),
    )
    found = states_at(encoder, texts, cuts)
    scores = {cut: trials.score(cut, found[cut]) for cut in cuts}
    return best_cut(scores), scores
