"""Rows for trials: the labelled texts of a task, which of them are tried, and which are held out in which run.

Nothing is chosen and reported on the same rows. The outer part of a run is held out from everything; of the rest, a
fifth is held back for early stopping, penalties and calibration, as in a fit.
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
from embank.texts import Text, keys_and_faults

RUNS = 5
"""Seeds, where rows are held out from all runs."""

FOLDS = 3
"""More of them would train on more rows each and score fewer, for the same seconds: where a way can be run once or
twice, what is not known of it is mostly the luck of the rows that it was scored on (bench/RESULTS.md)."""

_SPARE = 300
"""Labelled texts beside those that are tried, from which on these make a held-out part of their own."""

MOST_SPARE = 1000
"""Texts that are held out from all runs, at the most."""

FEWEST = 40
"""Fewer labelled texts than this say nothing about ways."""


@dataclass(frozen=True, eq=False)
class TaskRows:
    """The labelled texts of a task, each once.

    Attributes:
        task: its column of labels.
        kind: of the task.
        texts: numbers of the texts.
        values: one label a text.
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
class Run:
    """One training and one scoring: places in `TaskRows`.

    Attributes:
        number: of the run; also the seed of the split inside.
        train: rows that may be seen.
        test: rows that are held out.
    """

    number: int
    train: Int64[np.ndarray, " train"]
    test: Int64[np.ndarray, " test"]


@dataclass(frozen=True, eq=False)
class Trials:
    """What is tried of a task.

    Attributes:
        rows: all its labelled texts.
        runs: what is trained on and held out.
        folds: whether runs hold out rows of their own, or all the same ones.
    """

    rows: TaskRows
    runs: tuple[Run, ...]
    folds: bool

    @property
    def used(self) -> Int64[np.ndarray, " used"]:
        """Places of all rows that a trial sees."""
        return np.unique(np.concatenate([part for run in self.runs for part in (run.train, run.test)]))

    @property
    def protocol(self) -> str:
        """In words."""
        train, test = len(self.runs[0].train), len(self.runs[0].test)
        if self.folds:
            return (
                f"{len(self.runs)} folds of {len(self.used):,} texts: about {train:,} to train on (a fifth of them "
                f"held back for choices) and {test:,} held out, scored by a run that has not seen them"
            )
        return (
            f"{train:,} texts to train on (a fifth of them held back for choices) with seeds 0 to "
            f"{len(self.runs) - 1}, and {test:,} others held out from all runs"
        )


def numbered(texts: Sequence[Any]) -> tuple[list[int], list[Text]]:
    """A number for each row, the same for equal texts and -1 for what is no text; and the texts by number."""
    plain = [tuple(text) if isinstance(text, list) else text for text in texts]
    keys, _ = keys_and_faults(plain)
    numbers: dict[bytes, int] = {}
    distinct: list[Text] = []
    rows = []
    for key, text in zip(keys, plain, strict=True):
        if key is not None and key not in numbers:
            numbers[key] = len(distinct)
            distinct.append(text)
        rows.append(-1 if key is None else numbers[key])
    return rows, distinct


def task_rows(task: str, numbers: Sequence[int], labels: Sequence[Any], kind: str) -> TaskRows:
    """Understand a column of labels.

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
    return TaskRows(task, parsed.kind, examples.texts, examples.values, names, y)


def dealt(rows: TaskRows, most: int, seed: int) -> Trials:
    """Choose rows for trials, and deal them into runs.

    Where enough labelled texts are left over, they are held out from all runs, which differ by their seed; otherwise
    runs are folds.

    Args:
        rows: of a task.
        most: rows that trials may use for training.
        seed: of the choice.
    """
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(rows.texts))
    if len(shuffled) - most >= _SPARE:
        spare = np.sort(shuffled[most : most + MOST_SPARE])
        train = np.sort(shuffled[:most])
        return Trials(rows, tuple(Run(number, train, spare) for number in range(RUNS)), folds=False)
    chosen = shuffled[:most]
    order = np.array(sorted(range(len(chosen)), key=lambda at: _stratum(rows.values[int(chosen[at])])), np.int64)
    fold = np.empty(len(chosen), np.int64)
    fold[order] = np.arange(len(chosen)) % FOLDS
    runs = (Run(number, np.sort(chosen[fold != number]), np.sort(chosen[fold == number])) for number in range(FOLDS))
    return Trials(rows, tuple(runs), folds=True)


def inner_split(rows: TaskRows, run: Run) -> np.ndarray:
    """Which of a run's training rows are held back for choices, `[train]`; as a fit would, by the run's own seed.

    Raises:
        HeadError: a run with one class only, as of a class that has a single text.
    """
    values = tuple(rows.values[at] for at in run.train.tolist())
    examples, _ = collect(range(len(values)), None, Labels(rows.kind, tuple(values)), run.number)
    return np.array(examples.held_back, np.bool_)


def decided(rows: TaskRows, outcome: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Decisions of a head, as `TaskRows.y` has them.

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


def _stratum(value: Any) -> tuple[str, float]:
    """What rows are sorted by before they are dealt."""
    return ("", value) if isinstance(value, float) else (str(value), 0.0)
