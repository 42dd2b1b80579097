"""Trials of the ways of one task inside a budget; a way that did not fit is noted with the reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from embank.errors import EmbankError
from embank.fit.examples import HELD_BACK
from embank.plan import PlanWatch, Way
from embank.plan.budget import Budget, OutOfTimeError
from embank.plan.costs import epochs_of
from embank.plan.head_trials import Coded, HeadTrial, head_trial
from embank.plan.rows import Fold, TaskRows, used
from embank.plan.scores import Scores

if TYPE_CHECKING:
    from embank.plan.training_trials import TrainedTrial

NO_TURN = "the time was up before it was its turn"

CAUTION = 1.3
"""A head's fit cannot be stopped: it is begun only if so many times its expected seconds are left."""

_GUESS = 1.0
"""Seconds of a first head, before one was timed."""

Trainer = Callable[[Way, TaskRows, Fold, int], "TrainedTrial"]
"""Trains a way on a fold for so many passes."""


@dataclass(eq=False, kw_only=True)
class TaskTrials:
    """The trials of one task so far.

    Attributes:
        rows: its labelled texts.
        folds: what is trained on and held out.
        heads: trials of frozen heads, by way and number of the fold.
        trained: trials of all other ways.
        whole: a fit of frozen heads on all rows of the folds, which tells what a fit takes.
        reasons: why a way has no trial.
    """

    rows: TaskRows
    folds: tuple[Fold, ...]
    heads: dict[str, dict[int, HeadTrial]] = field(default_factory=dict)
    trained: "dict[str, dict[int, TrainedTrial]]" = field(default_factory=dict)
    whole: HeadTrial | None = None
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def scores(self) -> Scores:
        """Predictions on held-out rows, frozen heads first, float16's before the others."""
        heads = sorted(self.heads, key=lambda way: way != "frozen/float16")
        guesses = {way: {number: one.guess for number, one in self.heads[way].items()} for way in heads}
        for way, own in self.trained.items():
            guesses[way] = {number: one.guess for number, one in own.items()}
        return Scores(self.rows, self.folds, guesses)

    @property
    def epochs(self) -> int:
        """Passes of its trials."""
        return self.epochs_on(len(self.folds[0].train))

    def epochs_on(self, rows: int) -> int:
        """Passes over so many rows, of which a part is held back."""
        return epochs_of(int((1 - HELD_BACK) * rows))


def try_heads(
    task: TaskTrials,
    fold: Fold,
    ways: Mapping[str, Mapping[str, Coded]],
    places: np.ndarray,
    budget: Budget,
    watch: PlanWatch,
) -> None:
    """Fit frozen heads on a fold, with every codec, as far as the budget goes; after the first fold one on all rows.

    Args:
        task: what has been measured, and will be.
        fold: what is trained on and held out.
        ways: columns by the way's name.
        places: for each row of the task, its row in the columns.
        budget: for these.
        watch: progress callback.
    """
    seconds = max((one.seconds for own in task.heads.values() for one in own.values()), default=_GUESS)
    for way, columns in ways.items():
        if way in task.reasons:
            continue
        if not budget.allows(seconds * CAUTION):
            if way not in task.heads:
                task.reasons[way] = too_short(seconds * CAUTION, budget.left)
            continue
        watch(f"{task.rows.task}: {way}, fold {fold.number + 1}")
        try:
            found = head_trial(columns, places, task.rows, fold)
        except EmbankError as fault:
            task.reasons[way] = str(fault)
            continue
        task.heads.setdefault(way, {})[fold.number] = found
        seconds = found.seconds
    first = next(iter(task.heads), None)
    if task.whole is None and first is not None and budget.allows(2 * seconds * CAUTION):
        everything = Fold(len(task.folds), used(task.folds), fold.test)
        task.whole = head_trial(ways[first], places, task.rows, everything)


def try_training(
    task: TaskTrials, fold: Fold, ways: Mapping[Way, float], train: Trainer, budget: Budget, watch: PlanWatch
) -> None:
    """Train the ways on a fold, in their order.

    What a way takes is expected from the first way that was trained, by its weight; the first is begun in any case.

    Args:
        task: what has been measured, and will be.
        fold: what is trained on and held out.
        ways: the one that matters most first, students after their teacher; with what a trial takes beside others.
        train: runs a trial.
        budget: for these.
        watch: progress callback.
    """
    for way in ways:
        if way.name in task.reasons:
            continue
        seconds = _expected(task, way, ways)
        if budget.left > 0 and budget.allows(seconds):
            watch(f"{task.rows.task}: {way.title}, fold {fold.number + 1}, about {seconds:,.0f} s")
            reason = _try(task, way, fold, train, budget)
        else:
            reason = too_short(seconds, budget.left)
        if reason and way.name not in task.trained:
            task.reasons[way.name] = reason


def _expected(task: TaskTrials, way: Way, weights: Mapping[Way, float]) -> float:
    """Seconds of a trial, from the same way or the first one; 0 if nothing was trained yet."""
    known = next((one for one in (way, *weights) if one.name in task.trained), None)
    if known is None:
        return 0.0
    longest = max(one.seconds for one in task.trained[known.name].values())
    return longest * weights[way] / weights[known]


def _try(task: TaskTrials, way: Way, fold: Fold, train: Trainer, budget: Budget) -> str:
    """Run one trial; the reason if it failed, otherwise an empty string."""
    began = budget.spent
    try:
        found = train(way, task.rows, fold, task.epochs)
    except OutOfTimeError:
        return f"cut off after {budget.spent - began:,.0f} s: the time was up"
    except EmbankError as fault:
        return str(fault)
    task.trained.setdefault(way.name, {})[fold.number] = found
    return ""


def too_short(seconds: float, left: float) -> str:
    """Why something was not begun."""
    if left <= 0:
        return NO_TURN
    return f"it would have taken about {seconds:,.0f} s, and {left:,.0f} s were left"
