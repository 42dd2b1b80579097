"""Outputs of heads as columns of a table: labels, scores, probabilities."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from embank.arrays import Outputs
from embank.heads.served import ServedHead
from embank.prediction import TaskOutputs


def answer_columns(found: TaskOutputs, *, proba: bool) -> dict[str, pa.Array]:
    """What one task says, one entry a text; null for texts without rows.

    Returns:
        The task's label (a list of labels, or a number) under its name, `<task>_score` with the calibrated
        probability of what was decided (a list of them, or null for a number), and with `proba` one
        `<task>_proba_<label>` for each label.
    """
    task, head, outputs = found.task.name, found.task.head, found.outputs
    if head.kind == "regression":
        columns = {task: pa.array(head.decide(outputs)), f"{task}_score": pa.nulls(len(outputs), pa.float32())}
    elif head.kind == "single":
        columns = _single(task, head, outputs)
    else:
        columns = _multi(task, head, outputs)
    if proba and head.kind != "regression":
        probabilities = head.probabilities(outputs).astype(np.float32)
        columns |= {f"{task}_proba_{label}": pa.array(probabilities[:, at]) for at, label in enumerate(head.labels)}
    if len(outputs) == len(found.rows):
        return columns
    rows = pa.array(found.rows, mask=found.rows < 0)
    return {name: column.take(rows) for name, column in columns.items()}


def spread(columns: dict[str, pa.Array], rows: Sequence[int] | np.ndarray) -> dict[str, pa.Array]:
    """Answers for distinct texts, spread over a user's rows; -1 stands for a row without a text."""
    places = np.asarray(rows)
    taken = pa.array(places, mask=places < 0)
    return {name: column.take(taken) for name, column in columns.items()}


def _single(task: str, head: ServedHead, outputs: Outputs) -> dict[str, pa.Array]:
    chosen = head.decide(outputs)
    # The probability of what was decided alone: a softmax over all classes would be thrown away.
    cooled = outputs / np.float32(head.temperature)
    cooled -= cooled.max(axis=1, keepdims=True)
    exponents = np.exp(cooled, out=cooled)
    scores = exponents[np.arange(len(outputs)), chosen] / exponents.sum(axis=1)
    labels = pa.DictionaryArray.from_arrays(pa.array(chosen.astype(np.int32)), pa.array(head.labels, pa.string()))
    return {task: labels, f"{task}_score": pa.array(scores.astype(np.float32))}


def _multi(task: str, head: ServedHead, outputs: Outputs) -> dict[str, pa.Array]:
    chosen = head.decide(outputs).astype(bool)
    probabilities = head.probabilities(outputs).astype(np.float32)
    offsets = pa.array(np.concatenate([[0], np.cumsum(chosen.sum(axis=1))]).astype(np.int32))
    _, which = np.nonzero(chosen)
    labels = pa.array(head.labels, pa.string()).take(pa.array(which))
    return {
        task: pa.ListArray.from_arrays(offsets, labels),
        f"{task}_score": pa.ListArray.from_arrays(offsets, pa.array(probabilities[chosen])),
    }
