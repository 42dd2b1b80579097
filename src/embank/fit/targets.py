"""Labels as the arrays that estimators take."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from embank.labels.kinds import Kind
from embank.labels.read import names_of


def targets_of(
    kind: Kind, values: Sequence[Any], names: tuple[str, ...] | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels as an array that estimators take, and their names.

    Args:
        kind: of the task.
        values: one an example.
        names: where they are known before: labels that are not among them are left out.

    Returns:
        Class names `[texts]`, a 0/1 matrix `[texts, labels]`, or numbers `[texts]`; names are sorted, none for numbers.
    """
    labels = names_of(kind, values) if names is None else names
    if kind == "regression":
        return np.array(values, np.float64), ()
    if kind == "single":
        return np.array(values, dtype=object).astype(str), labels
    place = {label: at for at, label in enumerate(labels)}
    matrix = np.zeros((len(values), len(labels)), np.int64)
    for row, own in enumerate(values):
        matrix[row, [place[label] for label in own if label in place]] = 1
    return matrix, labels
