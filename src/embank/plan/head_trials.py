"""Trials of frozen heads: coded vectors in memory, the fit that a bank makes, and the seconds of a prediction."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from embank.arrays import Vectors
from embank.codecs import Codec
from embank.fit.column_selection import SelectionSettings
from embank.fit.heads import best_head
from embank.heads.served import ServedHead
from embank.plan.rows import Fold, TaskRows, held_back

SETTINGS = SelectionSettings(columns="all")
"""A fit with named columns reads all of them."""

_TIMED = 8192
"""Texts that a prediction is timed on."""


@dataclass(frozen=True, eq=False)
class Coded:
    """A column in memory, as a bank would store it.

    Attributes:
        codec: calibrated.
        rows: one per text.
    """

    codec: Codec
    rows: np.ndarray

    @property
    def text_bytes(self) -> int:
        """Bytes per row."""
        return int(self.rows.nbytes // max(len(self.rows), 1))


@dataclass(frozen=True, eq=False, kw_only=True)
class HeadTrial:
    """One head, fitted and tried.

    Attributes:
        guess: on held-out rows, in the form of `TaskRows.y`.
        rows: that it was fitted on.
        seconds: of the fit.
        predicting: seconds per text.
        hidden: units of a perceptron, 0 for a linear head.
    """

    guess: np.ndarray
    rows: int
    seconds: float
    predicting: float
    hidden: int


def head_trial(columns: Mapping[str, Coded], places: np.ndarray, rows: TaskRows, fold: Fold) -> HeadTrial:
    """Fit a head on decoded columns, all of them read, and try it on the held-out rows of a fold.

    Args:
        columns: by name.
        places: for each row of the task, its row in the columns.
        rows: of the task.
        fold: what is trained on and held out.

    Raises:
        HeadError: nothing can be learnt from the fold's training rows.
    """
    held = held_back(rows, fold)
    began = time.perf_counter()
    train = {name: _vectors(one, places[fold.train]) for name, one in columns.items()}
    _, final = best_head(train, rows.y[fold.train], held, rows.kind, SETTINGS)
    seconds = time.perf_counter() - began
    test = [_vectors(one, places[fold.test]) for one in columns.values()]
    guess = final.predict(np.concatenate(test, axis=1))
    names = [str(name) for name in range(rows.outputs)] if rows.kind != "regression" else ()
    labels = [str(name) for name in getattr(final, "classes_", names)] if rows.kind == "single" else names
    head = final.serve(tuple(labels))
    return HeadTrial(
        guess=np.asarray(guess),
        rows=len(fold.train),
        seconds=seconds,
        predicting=_seconds_per_text(head, list(columns.values()), len(rows.names)),
        hidden=head.layers[0].outputs if len(head.layers) > 1 else 0,
    )


def _vectors(column: Coded, places: np.ndarray) -> Vectors:
    return column.codec.decode(column.rows[places])


def _seconds_per_text(head: ServedHead, columns: Sequence[Coded], labels: int) -> float:
    """One head on texts whose rows are banked: cast, one product per column, probabilities, decision."""
    first = head.layers[0]
    folded, before = [], 0
    for column in columns:
        after = before + column.codec.width
        folded.append(column.codec.fold(first.weights[before:after], np.zeros(first.outputs, np.float32)))
        before = after
    which = np.resize(np.arange(len(columns[0].rows)), _TIMED)
    stored = [column.rows[which] for column in columns]
    began = time.perf_counter()
    outputs = first.bias + np.zeros((_TIMED, first.outputs), np.float32)
    for column, rows, (weights, bias) in zip(columns, stored, folded, strict=True):
        outputs += column.codec.raw(rows) @ weights + bias
    outputs = head.finish(outputs)
    if labels:
        head.probabilities(outputs)
    head.decide(outputs)
    return (time.perf_counter() - began) / _TIMED
