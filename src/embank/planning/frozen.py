"""Trials of frozen heads: coded vectors in memory, the fit that a bank makes, and what a prediction takes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embank.arrays import Vectors
from embank.codecs import Codec
from embank.fit.column_selection import SelectionSettings
from embank.fit.heads import best_head
from embank.planning.intervals import Scored, scored
from embank.planning.material import Run, TaskRows, inner_split

SETTINGS = SelectionSettings(columns="all")
"""A fit that is told its columns reads all of them."""

_TIMED = 8192
"""Texts that a prediction is timed on."""


@dataclass(frozen=True, eq=False)
class Coded:
    """A column in memory, as a bank would store it.

    Attributes:
        codec: its precision, calibrated.
        rows: one a text.
    """

    codec: Codec
    rows: np.ndarray

    @property
    def text_bytes(self) -> int:
        """What a row weighs."""
        return int(self.rows.nbytes // max(len(self.rows), 1))


@dataclass(frozen=True, eq=False)
class HeadTrial:
    """One head, fitted and scored.

    Attributes:
        scored: on held-out rows.
        rows: that it was fitted on.
        seconds: of the fit.
        predicting: seconds a text.
        hidden: units of a perceptron, 0 for a linear head.
    """

    scored: Scored
    rows: int
    seconds: float
    predicting: float
    hidden: int


def head_trial(
    columns: Mapping[str, Coded],
    places: np.ndarray,
    rows: TaskRows,
    run: Run,
    settings: SelectionSettings = SETTINGS,
) -> HeadTrial:
    """Fit a head on decoded columns, all of them read, and score it on the held-out rows of a run.

    Args:
        columns: by name.
        places: for each row of the task, its row in the columns.
        rows: of the task.
        run: what is trained on and held out.
        settings: how thoroughly to choose.

    Raises:
        HeadError: nothing can be learnt from the run's training rows.
    """
    held = inner_split(rows, run)
    began = time.perf_counter()
    train = {name: _vectors(one, places[run.train]) for name, one in columns.items()}
    _, final = best_head(train, rows.y[run.train], held, rows.kind, settings)
    seconds = time.perf_counter() - began
    test = [_vectors(one, places[run.test]) for one in columns.values()]
    guess = final.predict(np.concatenate(test, axis=1))
    names = [str(name) for name in range(rows.outputs)] if rows.kind != "regression" else ()
    labels = [str(name) for name in getattr(final, "classes_", names)] if rows.kind == "single" else names
    head = final.serve(tuple(labels))
    hidden = head.layers[0].outputs if len(head.layers) > 1 else 0
    predicting = _seconds_a_text(head, list(columns.values()), len(rows.names))
    return HeadTrial(
        scored(rows.y[run.test], guess, rows.kind, run.number), len(run.train), seconds, predicting, hidden
    )


def _vectors(column: Coded, places: np.ndarray) -> Vectors:
    return column.codec.decode(column.rows[places])


def _seconds_a_text(head: Any, columns: Sequence[Coded], labels: int) -> float:
    """What one head takes for a text whose rows are banked: cast, one product a column, probabilities, decision."""
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
