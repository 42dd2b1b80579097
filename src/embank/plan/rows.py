"""Rows for trials: the labelled texts of a task, which of them are tried, and which are held out in which fold.

Nothing is chosen and reported on the same rows. A fold is held out from everything; of the other rows, a fifth is held
back for early stopping, penalties and calibration, as in a fit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64

from embank.errors import HeadError, UsageError
from embank.fit.examples import collect
from embank.fit.targets import targets_of
from embank.labels.kinds import POOLED, Kind
from embank.labels.read import Labels, read_labels
from embank.metrics.classification import PRIMARY

FOLDS = 3
"""More of them would train on more rows each and score fewer, for the same seconds: where a way can be run once or
twice, what is not known of it is mostly the luck of the rows that it was scored on (bench/RESULTS.md)."""

FEWEST = 40
"""Fewer labelled texts than this say nothing about ways."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TaskRows:
    """The labelled texts of a task, each once.

    Attributes:
        task: its column of labels.
        kind: of the task.
        texts: numbers of the texts.
        values: one label per text.
        names: of classes or labels.
        y: class names `[texts]`, a 0/1 matrix `[texts, labels]`, or numbers `[texts]`.
    """

    task: str
    kind: Kind
    texts: Int64[np.ndarray, " texts"]
    values: Sequence[Any]
    names: tuple[str, ...]
    y: np.ndarray

    @property
    def measure(self) -> str:
        """The measure that counts."""
        return PRIMARY[self.kind]

    @property
    def outputs(self) -> int:
        """Of a head."""
        return max(1, len(self.names))


@dataclass(frozen=True, eq=False)
class Fold:
    """One training and one scoring: places in `TaskRows`.

    Attributes:
        number: of the fold; also the seed of the split inside.
        train: rows that may be seen.
        test: rows that are held out.
    """

    number: int
    train: Int64[np.ndarray, " train"]
    test: Int64[np.ndarray, " test"]


def used(folds: Sequence[Fold]) -> Int64[np.ndarray, " used"]:
    """Places of all rows that a trial sees: each is held out once."""
    return np.sort(np.concatenate([fold.test for fold in folds]))


def protocol(folds: Sequence[Fold]) -> str:
    """How rows are trained on and held out, in words."""
    return (
        f"{len(folds)} folds of {len(used(folds)):,} texts: about {len(folds[0].train):,} to train on (a fifth of them "
        f"held back for choices) and {len(folds[0].test):,} held out"
    )


def task_rows(task: str, numbers: Sequence[int], labels: Sequence[Any], kind: str) -> TaskRows:
    """Read a column of labels.

    Raises:
        UsageError: an unknown kind.
        HeadError: one class only, too few labels, or labels that do not fit the kind; the message names the column.
    """
    try:
        parsed = read_labels(labels, kind, kinds=POOLED)
        examples, _ = collect(numbers, None, parsed, 0)
    except UsageError as fault:
        raise UsageError(f"column {task!r}: {fault}") from fault
    except HeadError as fault:
        raise HeadError(f"column {task!r}: {fault}") from fault
    if len(examples.texts) < FEWEST:
        found = f"column {task!r}: found {len(examples.texts)} labelled texts"
        raise HeadError(f"{found}, expected {FEWEST} or more to compare ways on; label more, or fit it right away")
    y, names = targets_of(parsed.kind, examples.values)
    return TaskRows(task=task, kind=parsed.kind, texts=examples.texts, values=examples.values, names=names, y=y)


def folds_of(rows: TaskRows, most: int, seed: int) -> tuple[Fold, ...]:
    """Choose rows for trials, and divide them into folds in which every class has its share.

    Args:
        rows: of a task.
        most: rows that trials may use.
        seed: of the choice.
    """
    chosen = np.random.default_rng(seed).permutation(len(rows.texts))[:most]
    order = np.array(sorted(range(len(chosen)), key=lambda at: _stratum(rows.values[int(chosen[at])])), np.int64)
    fold = np.empty(len(chosen), np.int64)
    fold[order] = np.arange(len(chosen)) % FOLDS
    return tuple(
        Fold(number, np.sort(chosen[fold != number]), np.sort(chosen[fold == number])) for number in range(FOLDS)
    )


def held_back(rows: TaskRows, fold: Fold) -> np.ndarray:
    """Mask of a fold's training rows that choose settings, `[train]`; split as in a fit, with the fold's seed.

    Raises:
        HeadError: a fold with one class only, as of a class that has a single text.
    """
    values = tuple(rows.values[at] for at in fold.train.tolist())
    examples, _ = collect(range(len(values)), None, Labels(rows.kind, values), fold.number)
    return np.array(examples.held_back, np.bool_)


def decided(rows: TaskRows, outcome: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Decisions of a head, in the form of `TaskRows.y`.

    Args:
        rows: of the task.
        outcome: numbers of labels, a 0/1 matrix, or numbers.
        names: of the labels that the head knows; a training part may lack some.
    """
    if rows.kind == "single":
        return np.asarray(np.array(names)[outcome])
    if rows.kind == "regression":
        return np.asarray(outcome, np.float64)
    place: Mapping[str, int] = {name: at for at, name in enumerate(rows.names)}
    matrix = np.zeros((len(outcome), len(rows.names)), np.int64)
    matrix[:, [place[name] for name in names]] = outcome
    return matrix


def _stratum(value: str | float | tuple[str, ...]) -> tuple[str, float]:
    """Sort key of rows before they are divided into folds."""
    return ("", value) if isinstance(value, float) else (str(value), 0.0)
