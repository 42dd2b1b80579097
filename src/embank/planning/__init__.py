"""The contract of planning: which ways there are to serve tasks, what was measured of each, and which one is advised.

A plan compares one shared encoder with frozen heads, states of limited size, recycled tails, a distilled student for
each task, and full fine-tuning for each task, on a user's machine and texts. Amortising one encoder over many tasks is
from "General Purpose Text Embeddings from Pre-trained Language Models for Scalable Inference" (Du et al. 2020, Findings
of EMNLP, arXiv 2004.14287); tails are embedding recycling (arXiv 2207.04993).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from embank.errors import UsageError

Family = Literal["frozen", "limited", "tail", "student", "finetune"]
"""Heads on vectors; tails on few states; tails on all states; a small encoder a task; a whole encoder a task."""

OUTSIDE: tuple[Family, ...] = ("student", "finetune")
"""Families that live outside a bank."""

SECONDS, OPERATIONS = "seconds", "flops"
"""What costs are counted in."""

Telling = Callable[[str], None]
"""Told what is being measured now."""


@dataclass(frozen=True)
class PlanSettings:
    """What a user may say about a plan.

    Attributes:
        tasks: how many tasks there will be; None is as many as were given.
        texts: how many texts each of them will be predicted on; None is as many as the bank or the labels have.
        tolerance: points of the score that a cheaper way may lose to the best one.
        minutes: that measuring may take.
        kind: "auto", "single", "multi" or "regression", of every task.
        seed: of rows that are chosen, splits and everything random.
    """

    tasks: int | None = None
    texts: int | None = None
    tolerance: float = 0.5
    minutes: float = 10.0
    kind: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no plan can be made of."""
        for name in ("tasks", "texts"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"found --{name} {value}, expected at least 1")
        if not self.tolerance >= 0:
            raise UsageError(f"found --tolerance {self.tolerance}, expected 0 or more points, such as 0.5")
        if not self.minutes > 0:
            raise UsageError(f"found --minutes {self.minutes}, expected more than 0, such as 10")


@dataclass(frozen=True)
class Way:
    """One way to serve a task.

    Attributes:
        name: as it stands in a plan's JSON; stable.
        family: what kind of way.
        title: the same for people.
        columns: of the bank, that it reads; empty for what lives outside a bank.
        cut: the layer whose states a tail starts from.
        method: how a tail is trained.
        layers: of a student.
    """

    name: str
    family: Family
    title: str
    columns: tuple[str, ...] = ()
    cut: int = 0
    method: Literal["full", "adapters"] = "full"
    layers: int = 0


@dataclass(frozen=True)
class Score:
    """How good a way is, in points of the task's measure (a hundredth of it).

    Attributes:
        points: mean over runs. Where a way was run less often than the frozen heads, it is brought to the same runs by
            their difference.
        low: end of an interval of 95 %.
        high: its other end.
        interval: how the interval was made, in words.
        runs: how often it was trained and scored.
        rows: held-out rows that a run was scored on, in the mean.
        expected: the points with the luck taken out: those of a trained way are drawn to the mean of its like by as
            much as they are uncertain. The advice goes by these.
    """

    points: float
    low: float
    high: float
    interval: str
    runs: int
    rows: int
    expected: float


@dataclass(frozen=True)
class Cost:
    """What a way costs, in seconds or in operations: linear in tasks and in texts.

    Attributes:
        once: whatever the number of tasks and texts: opening the encoder, encoding labelled rows.
        text: a text, once for all tasks.
        task: a task, whatever the number of texts: training.
        task_text: a text and task.
    """

    once: float
    text: float
    task: float
    task_text: float

    def total(self, tasks: float, texts: float, fresh: float | None = None) -> float:
        """What tasks and texts cost together.

        Args:
            tasks: how many.
            texts: that each task is predicted on.
            fresh: those of them that the bank lacks; None is all of them.
        """
        shared = texts if fresh is None else fresh
        return self.once + shared * self.text + tasks * (self.task + texts * self.task_text)

    def filled(self) -> "Cost":
        """The same where the bank has all texts already."""
        return Cost(0.0, 0.0, self.task, self.task_text)


@dataclass(frozen=True)
class Finding:
    """What was measured of a way.

    Attributes:
        way: which.
        score: on held-out rows.
        seconds: measured on this machine, brought to all labelled rows.
        flops: from the architecture; training included.
        training_seconds: a task on all labelled rows, as predicted.
        texts_per_second: of prediction, one task, texts that nobody has seen.
        more_per_second: of one more task on the same pass; the same where there is no pass to share.
        text_bytes: that a text takes in the bank.
        text_flops: of one task on a text, the shared part included.
        total_seconds: predicted for the user's tasks and texts, with the bank as it is.
        total_flops: the same in operations.
        banked: texts that the bank has all its columns of.
        passes: of training, in the mean of the trials.
        epochs: passes that training on all rows is given; `fit --plan` gives as many, and does not stop early.
        trial_seconds: that measuring took.
    """

    way: Way
    score: Score
    seconds: Cost
    flops: Cost
    training_seconds: float
    texts_per_second: float
    more_per_second: float
    text_bytes: float
    text_flops: float
    total_seconds: float
    total_flops: float
    banked: int = 0
    passes: float = 0.0
    epochs: int | None = None
    trial_seconds: float = 0.0


@dataclass(frozen=True)
class Unmeasured:
    """A way that was left out, and why."""

    way: Way
    reason: str


@dataclass(frozen=True)
class Recommendation:
    """What is advised.

    Attributes:
        way: the cheapest whose score is within the tolerance of the best; None where nothing was measured.
        best: the way of the best score.
        words: the advice in sentences.
        noise: cheaper ways whose distance to the tolerance is within noise.
        certain: whether the distance between the advised way and the best is known to be within the tolerance.
    """

    way: Way | None
    best: Way | None
    words: str
    noise: tuple[str, ...] = ()
    certain: bool = True


@dataclass(frozen=True)
class TaskPlan:
    """The ways of one task.

    Attributes:
        task: its column of labels.
        kind: of the task.
        measure: whose hundredths are points.
        rows: labelled texts.
        tried: of these, those that trials used.
        protocol: how rows were trained on and held out, in words.
        findings: in the order of their costs.
        unmeasured: what was left out.
        recommendation: for this task.
    """

    task: str
    kind: str
    measure: str
    rows: int
    tried: int
    protocol: str
    findings: tuple[Finding, ...]
    unmeasured: tuple[Unmeasured, ...]
    recommendation: Recommendation


@dataclass(frozen=True)
class Change:
    """From a number on, another way is the cheapest.

    Attributes:
        at: the number of tasks, or of texts.
        way: the name of the way that is cheapest from there on.
    """

    at: int
    way: str


@dataclass(frozen=True)
class BreakEven:
    """A pair of ways that trade places.

    Attributes:
        way: cheaper from there on.
        than: cheaper before.
        tasks: from so many tasks on, at the plan's number of texts; None: never.
        texts: from so many texts a task on, at the plan's number of tasks; None: never.
    """

    way: str
    than: str
    tasks: int | None
    texts: int | None


@dataclass(frozen=True)
class Balance:
    """Where ways break even, in one unit, for one state of the bank.

    Attributes:
        unit: "seconds" or "flops".
        bank: "empty", or "filled": it has all texts already.
        by_tasks: which way is cheapest, by the number of tasks.
        by_texts: the same by the number of texts.
        pairs: of ways.
    """

    unit: str
    bank: str
    by_tasks: tuple[Change, ...]
    by_texts: tuple[Change, ...]
    pairs: tuple[BreakEven, ...]


@dataclass(frozen=True)
class Plan:
    """A measured comparison.

    Attributes:
        machine: processor, cores, memory, threads.
        encoder: name, origin, layers, and what it was computed in.
        tokens: of a text, in the mean.
        tokens_per_second: of the whole encoder, tokenising included.
        tasks: how many it is made for.
        texts: that each is predicted on.
        tolerance: in points.
        minutes: that were allowed.
        seconds: that it took.
        plans: one a task.
        overall: for all tasks together.
        balances: where ways break even, mean of the tasks.
        notes: what else there is to know.
    """

    machine: str
    encoder: str
    tokens: float
    tokens_per_second: float
    tasks: int
    texts: int
    tolerance: float
    minutes: float
    seconds: float
    plans: tuple[TaskPlan, ...]
    overall: Recommendation
    balances: tuple[Balance, ...]
    notes: tuple[str, ...] = ()
    means: Mapping[str, tuple[Cost, Cost]] = field(default_factory=dict)
