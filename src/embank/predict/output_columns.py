"""Outputs of heads as columns of a table: labels, scores, probabilities."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from embank.arrays import Outputs
from embank.heads.served import ServedHead
from embank.predict import TaskOutputs

_FEW = 32
"""Up to so many classes, comparing them one after another beats numpy's argmax across rows."""


def answer_columns(found: TaskOutputs, *, proba: bool) -> dict[str, pa.Array]:
    """What one task says, one entry per text; null for texts without rows.

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
    # Classes on axis 0: a million rows of five numbers are reduced much faster as five rows of a million.
    logits = outputs.T.copy()  # also of one text, which has no order to change: what follows writes into it
    if head.offsets and any(head.offsets):
        chosen = _highest(logits + np.array(head.offsets, np.float32)[:, None])
        decided = np.take_along_axis(logits, chosen[None].astype(np.intp), axis=0)[0]
    else:
        chosen = _highest(logits)
        decided = logits.max(axis=0)
    # The probability of what was decided alone: 1 / sum of exp((other - decided) / T).
    logits -= decided
    logits *= np.float32(1 / head.temperature)
    with np.errstate(over="ignore"):  # what leans far against its logits has probability 0
        scores = 1 / np.exp(logits, out=logits).sum(axis=0)
    labels = pa.DictionaryArray.from_arrays(pa.array(chosen), pa.array(head.labels, pa.string()))
    return {task: labels, f"{task}_score": pa.array(scores)}


def _highest(logits: np.ndarray) -> np.ndarray:
    """For `[classes, texts]`, the class with the highest logit; the first of equals."""
    if len(logits) > _FEW:
        highest: np.ndarray = logits.argmax(axis=0).astype(np.int32)
        return highest
    best = logits[0].copy()
    chosen = np.zeros(logits.shape[1], np.int32)
    for number in range(1, len(logits)):
        higher = logits[number] > best
        np.copyto(best, logits[number], where=higher)
        np.copyto(chosen, np.int32(number), where=higher)
    return chosen


def _multi(task: str, head: ServedHead, outputs: Outputs) -> dict[str, pa.Array]:
    chosen = head.decide(outputs).astype(bool)
    # rounded, since writers of text round columns of numbers, and not numbers in lists
    probabilities = np.round(head.probabilities(outputs).astype(np.float64), 6)
    offsets = pa.array(np.concatenate([[0], np.cumsum(chosen.sum(axis=1))]).astype(np.int32))
    _, which = np.nonzero(chosen)
    labels = pa.array(head.labels, pa.string()).take(pa.array(which))
    return {
        task: pa.ListArray.from_arrays(offsets, labels),
        f"{task}_score": pa.ListArray.from_arrays(offsets, pa.array(probabilities[chosen])),
    }
