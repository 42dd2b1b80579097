"""Measuring the ways of a task, one after another, inside a budget; what did not fit is noted with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from embank.errors import EmbankError
from embank.fit.examples import HELD_BACK
from embank.planning import Telling, Way
from embank.planning.costs import epochs_of
from embank.planning.estimating import Rates
from embank.planning.frozen import SETTINGS, Coded, HeadTrial, head_trial
from embank.planning.intervals import Runs, Scored
from embank.planning.material import Run, Trials
from embank.planning.schedule import Budget, OutOfTimeError, in_order
from embank.planning.shrinking import Standing, standing
from embank.planning.tuning import TrainedTrial, Workshop, trained_trial

CAUTION = 1.3
"""A head's fit cannot be stopped: it is begun only where so many times its expected seconds are left."""

_MOST_OF = 2.0
"""A way is begun before others where so many times its expected seconds are left."""

_GUESS = 1.0
_HALF = 2
_MORE = 1.5
"""From so many times the rows of a trial on, it is worth knowing how a fit grows with them."""


@dataclass
class Measured:
    """What has been measured of one task so far.

    Attributes:
        trials: its rows and runs.
        steps: of each training, if it is not stopped early.
        heads: trials of frozen heads, by way and run.
        trained: trials of all other ways.
        smaller: a fit on half of the rows: their number and the share of the seconds that a whole fit takes.
        heavier: times that a fit takes longer because it tries a perceptron, which trials had too few rows for.
        reasons: why a way has no trial.
    """

    trials: Trials
    steps: int
    heads: dict[str, dict[int, HeadTrial]] = field(default_factory=dict)
    trained: dict[str, dict[int, TrainedTrial]] = field(default_factory=dict)
    smaller: tuple[int, float] | None = None
    heavier: float = 1.0
    reasons: dict[str, str] = field(default_factory=dict)

    def scores(self, way: str) -> dict[int, Scored]:
        """Of a way, by run."""
        heads = {number: one.scored for number, one in self.heads.get(way, {}).items()}
        return heads or {number: one.scored for number, one in self.trained.get(way, {}).items()}

    @property
    def epochs(self) -> int:
        """Most passes of its trials."""
        return self.epochs_on(len(self.trials.runs[0].train))

    def epochs_on(self, rows: int) -> int:
        """Most passes over so many rows, of which a part is held back."""
        return epochs_of(int((1 - HELD_BACK) * rows), self.steps)

    @property
    def reference(self) -> Runs:
        """Runs of the frozen heads that were run most often: float16's where it is among them."""
        several = [self.scores(name) for name in sorted(self.heads, key=lambda name: name != "frozen/float16")]
        return max(several, key=len, default={})

    def standing(self, way: str) -> Standing:
        """Where a way stands beside the reference."""
        return standing(self.scores(way), self.reference, folds=self.trials.folds)

    @property
    def best(self) -> float:
        """The most points so far; heads have been run before anything else."""
        return max((self.standing(way).points for way in (*self.heads, *self.trained)), default=0.0)


def measure_heads(
    task: Measured, ways: Mapping[str, Mapping[str, Coded]], places: np.ndarray, budget: Budget, watch: Telling
) -> None:
    """Fit frozen heads: every precision on the first run, then on the others, as far as the budget goes.

    Args:
        task: what has been measured, and will be.
        ways: columns by the way's name.
        places: for each row of the task, its row in the columns.
        budget: for these.
        watch: told what is being measured.
    """
    expected = _GUESS
    for run in task.trials.runs:
        for way, columns in ways.items():
            if way in task.reasons:
                continue
            if not budget.allows(expected * CAUTION):
                if not task.heads.get(way):
                    task.reasons[way] = short(expected * CAUTION, budget.left)
                continue
            watch(f"{task.trials.rows.task}: {way}, run {run.number + 1}")
            try:
                found = head_trial(columns, places, task.trials.rows, run)
            except EmbankError as fault:
                task.reasons[way] = str(fault)
                continue
            task.heads.setdefault(way, {})[run.number] = found
            expected = found.seconds
    if budget.allows(expected * CAUTION):
        _timed(task, ways, places)


def _timed(task: Measured, ways: Mapping[str, Mapping[str, Coded]], places: np.ndarray) -> None:
    """Tell what of a fit grows with rows from what does not, where there are many more than trials have."""
    way = next((name for name in ways if task.heads.get(name)), None)
    rows, run = task.trials.rows, task.trials.runs[0]
    if way is None:
        return
    size, count = len(run.train), len(rows.texts)
    tries = (1 - HELD_BACK) * count >= SETTINGS.fewest
    alike = replace(SETTINGS, fewest=0 if tries else count + 1)
    try:
        if tries and (1 - HELD_BACK) * size < SETTINGS.fewest:  # the fit on all rows will try a perceptron as well
            whole = head_trial(ways[way], places, rows, run, alike)
            task.heavier = whole.seconds / task.heads[way][0].seconds
        if count > _MORE * size:
            half = head_trial(ways[way], places, rows, replace(run, train=run.train[::_HALF]), alike)
            task.smaller = (half.rows, half.seconds / (task.heavier * task.heads[way][0].seconds))
    except EmbankError:  # too few of a class: then seconds are taken to grow with rows
        return


def measure_trained(task: Measured, ways: Sequence[Way], shop: Workshop, rates: Rates, watch: Telling) -> None:
    """Train tails, students and whole encoders on the first run, then those that may be the best on others.

    What would take more than half of the time that is left waits until the others have been run: else one dear way
    leaves several cheap ones unmeasured.

    Time that is left goes, run after run, to the way that may be worth most: the one with the highest upper end of its
    interval (Lai & Robbins 1985), as long as that reaches the best mean. So a way that was lucky once is tried again
    before it is believed.

    Args:
        task: what has been measured, and will be.
        ways: to train.
        shop: what trials work with; its budget is for these.
        rates: what trainings are expected to take.
        watch: told what is being measured.
    """
    first = task.trials.runs[0]

    def expected(way: Way) -> float:
        return rates.seconds(way, len(first.train), len(first.test), task.epochs)

    def with_teacher(way: Way) -> float:
        taught = way.family == "student" and not task.trained.get("finetune")
        return expected(way) + (expected(replace(way, family="finetune", layers=0)) if taught else 0.0)

    ordered, waiting = in_order(ways), []
    for way in ordered:
        seconds = with_teacher(way)
        if shop.budget.allows(_MOST_OF * seconds):
            _try(task, way, first, (shop, seconds), watch)
        else:
            waiting.append(way)
    for way in waiting:
        _try(task, way, first, (shop, with_teacher(way)), watch)
    tried: set[tuple[str, int]] = set()
    while further := _further(task, ordered, shop.budget, tried):
        way, run, seconds = further
        tried.add((way.name, run.number))
        _try(task, way, run, (shop, seconds), watch)


def _further(
    task: Measured, ways: Sequence[Way], budget: Budget, tried: set[tuple[str, int]]
) -> tuple[Way, Run, float] | None:
    """The way that may be worth most, its next run and the seconds that this may take; None where nothing is left."""
    found: list[tuple[float, Way, Run, float]] = []
    for way in ways:
        before = task.trained.get(way.name, {})
        left = [run for run in task.trials.runs if run.number not in before and (way.name, run.number) not in tried]
        longest = max((one.seconds for one in before.values()), default=0.0)
        if before and left and budget.allows(longest * CAUTION):
            found.append((task.standing(way.name).reach, way, left[0], longest))
    best = max(found, key=lambda one: one[0], default=None)
    return best[1:] if best is not None and best[0] >= task.best else None


def _try(task: Measured, way: Way, run: Run, work: tuple[Workshop, float], watch: Telling) -> None:
    """One trial, if it fits; why not, if not."""
    shop, seconds = work
    known = bool(task.trained.get(way.name))
    if not shop.budget.allows(seconds):
        if not known:
            task.reasons[way.name] = short(seconds, shop.budget.left)
        return
    watch(f"{task.trials.rows.task}: {way.title}, run {run.number + 1}, about {seconds:,.0f} s")
    began = shop.budget.spent
    try:
        found = trained_trial(shop, way, task.trials.rows, run, task.epochs)
    except OutOfTimeError:
        if not known:
            task.reasons[way.name] = f"cut off after {shop.budget.spent - began:,.0f} s: the time was up"
        return
    except EmbankError as fault:
        task.reasons[way.name] = str(fault)
        return
    task.trained.setdefault(way.name, {})[run.number] = found


def short(seconds: float, left: float) -> str:
    """Why something was not begun."""
    return f"it would have taken about {seconds:,.0f} s, and {max(0.0, left):,.0f} s were left"
