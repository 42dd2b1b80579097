"""The contract of a plan: the ways to serve tasks, what was measured of each, and which one is advised.

A plan compares one shared encoder with frozen heads, tails on banked states, a distilled student per task, and full
fine-tuning per task, on a user's machine and texts. Amortising one encoder over many tasks is from "General Purpose
Text Embeddings from Pre-trained Language Models for Scalable Inference" (Du et al. 2020, Findings of EMNLP, arXiv
2004.14287); tails are embedding recycling (arXiv 2207.04993).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from embank.errors import UsageError
from embank.reports.sheet import Sheet, Table
from embank.reports.wording import MEASURES, counted

Family = Literal["frozen", "tail", "student", "finetune"]
"""Heads on vectors; upper layers on banked states; a small encoder per task; a whole encoder per task."""

PlanWatch = Callable[[str], None]
"""Progress callback: receives what is being measured now, in words."""


@dataclass(frozen=True, kw_only=True)
class PlanSettings:
    """Settings of a plan.

    Attributes:
        tasks: number of tasks to plan for; None is as many as were given.
        texts: number of texts that each task will be predicted on; None is as many as the bank or the labels have.
        tolerance: points of the score that a cheaper way may lose to the best one.
        minutes: the most that measuring may take.
        kind: "auto", "single", "multi" or "regression", of every task.
        seed: of sampling, splits and training.
    """

    tasks: int | None = None
    texts: int | None = None
    tolerance: float = 0.5
    minutes: float = 10.0
    kind: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that no plan can be made with."""
        for name in ("tasks", "texts"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"found --{name} {value}, expected at least 1")
        if not self.tolerance >= 0:
            raise UsageError(f"found --tolerance {self.tolerance}, expected 0 or more points, such as 0.5")
        if not self.minutes > 0:
            raise UsageError(f"found --minutes {self.minutes}, expected more than 0, such as 10")


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to serve a task.

    Attributes:
        name: as it stands in a plan's JSON; stable.
        family: which family it belongs to.
        title: its name for people.
        columns: of the bank, that it reads; empty if it lives outside a bank.
        cut: the layer whose states a tail starts from.
        layers: of a student.
    """

    name: str
    family: Family
    title: str
    columns: tuple[str, ...] = ()
    cut: int = 0
    layers: int = 0

    @property
    def outside(self) -> bool:
        """Whether it lives outside a bank."""
        return self.family in ("student", "finetune")


@dataclass(frozen=True, kw_only=True)
class Score:
    """How good a way is, in points: hundredths of the task's measure, on held-out rows.

    Attributes:
        points: the score. A way with fewer folds than the frozen heads is brought to all folds by its difference to
            them on the folds that both have.
        low: lower end of a 95 % interval.
        high: upper end.
        runs: folds that it was trained and scored on.
        rows: held-out rows that it was scored on, over all its folds.
    """

    points: float
    low: float
    high: float
    runs: int
    rows: int


@dataclass(frozen=True)
class Cost:
    """Seconds that a way takes: linear in tasks and in texts.

    Attributes:
        once: whatever the number of tasks and texts: opening the encoder, encoding labelled rows.
        text: per text, once for all tasks.
        task: per task, whatever the number of texts: training.
        task_text: per text and task.
    """

    once: float
    text: float
    task: float
    task_text: float

    def total(self, tasks: float, texts: float, fresh: float | None = None) -> float:
        """Seconds for so many tasks and texts.

        Args:
            tasks: how many.
            texts: that each task is predicted on.
            fresh: those of them that the bank lacks; None is all of them.
        """
        shared = texts if fresh is None else fresh
        return self.once + shared * self.text + tasks * (self.task + texts * self.task_text)

    def filled(self) -> "Cost":
        """The same if the bank has all texts already."""
        return Cost(0.0, 0.0, self.task, self.task_text)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Measurements of one way.

    Attributes:
        way: which.
        score: on held-out rows.
        seconds: measured on this machine, extrapolated to all labelled rows.
        text_flops: operations of one task on a text, from the architecture, the shared part included.
        text_bytes: per text in the bank.
        total_seconds: predicted for the user's tasks and texts, with the bank as it is.
        banked: texts that the bank has all its columns of.
        epochs: passes that training on all rows is given; `fit --plan` gives as many, and does not stop early.
        trial_seconds: that measuring took.
    """

    way: Way
    score: Score
    seconds: Cost
    text_flops: float
    text_bytes: float
    total_seconds: float
    banked: int = 0
    epochs: int | None = None
    trial_seconds: float = 0.0

    @property
    def training_seconds(self) -> float:
        """One task on all labelled rows."""
        return self.seconds.task

    @property
    def texts_per_second(self) -> float:
        """Prediction of one task on texts that are not in the bank."""
        return 1 / max(self.seconds.text + self.seconds.task_text, 1e-12)

    @property
    def more_per_second(self) -> float:
        """One more task on the same pass; equal to `texts_per_second` if no pass is shared."""
        return 1 / max(self.seconds.task_text, 1e-12)

    @property
    def cells(self) -> list[str]:
        """Its row in a table."""
        return [
            self.way.title,
            f"{self.score.points:.1f}",
            f"{self.score.low:.1f} to {self.score.high:.1f}",
            f"{self.score.runs}",
            f"{self.training_seconds:,.1f}",
            f"{self.texts_per_second:,.0f}",
            f"{self.more_per_second:,.0f}",
            f"{self.text_bytes:,.0f}",
            f"{self.text_flops / 1e6:,.1f}",
            f"{self.total_seconds:,.1f}",
        ]


@dataclass(frozen=True)
class Unmeasured:
    """A way that was not measured, and why."""

    way: Way
    reason: str


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The advised way, and why.

    Attributes:
        way: the cheapest whose score is within the tolerance plus one standard error of the best; None if nothing was
            measured.
        best: the way with the best score.
        headline: what to do, in one sentence.
        words: the reasons, in sentences.
        behind: points that the advised way is behind the best, on the rows that both were scored on.
        standard_error: of that difference.
        complete: whether all ways were measured.
    """

    way: Way | None = None
    best: Way | None = None
    headline: str
    words: str
    behind: float = 0.0
    standard_error: float = 0.0
    complete: bool = True


@dataclass(frozen=True, kw_only=True)
class TaskPlan:
    """The ways of one task.

    Attributes:
        task: its column of labels.
        kind: of the task.
        measure: a point is a hundredth of it.
        rows: labelled texts.
        tried: of these, those that trials used.
        protocol: how rows were trained on and held out, in words.
        findings: in the order of their costs.
        unmeasured: ways that were left out.
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

    def parts(self) -> Iterator[str | Table]:
        """What was measured for it, as lines and a table."""
        yield ""
        measure, texts = MEASURES[self.measure], counted(self.rows, "labelled text")
        yield f"task {self.task}: {self.kind}, points of {measure}; {texts}"
        yield f"  {self.protocol}"
        titles = ["way", "points", "95 %", "folds", "fit, s", "texts/s", "next task", "bytes", "MFLOP", "in all, s"]
        if self.findings:
            rows = [one.cells for one in self.findings]
            yield Table(titles, rows, range(1, len(titles)), indent=2)
        for lacking in self.unmeasured:
            yield f"  not measured: {lacking.way.title}: {lacking.reason}"


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
class Balance:
    """Where ways break even, for one state of the bank.

    Attributes:
        bank: "empty", or "filled": it has all texts already.
        by_tasks: which way is cheapest, by the number of tasks.
        by_texts: the same by the number of texts.
    """

    bank: str
    by_tasks: tuple[Change, ...]
    by_texts: tuple[Change, ...]


@dataclass(frozen=True, kw_only=True)
class Plan(Sheet):
    """A measured comparison.

    Attributes:
        machine: processor, cores, system.
        encoder: name, origin, layers, backend and dtype.
        tokens: per text, in the mean.
        tokens_per_second: of the whole encoder, tokenising included.
        tasks: how many it is made for.
        texts: that each is predicted on.
        tolerance: in points.
        minutes: that were allowed.
        seconds: that it took.
        plans: one per task.
        overall: for all tasks together.
        balances: where ways break even, mean of the tasks.
        notes: what else there is to know.
        means: cost by the way's name, mean of the tasks.
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
    means: Mapping[str, Cost] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """The advice, one paragraph per task and, for several tasks, one for all together."""
        several = [f"{one.task}: {one.recommendation.headline} {one.recommendation.words}" for one in self.plans]
        together = f"All tasks: {self.overall.headline} {self.overall.words}"
        return several if len(self.plans) == 1 else [*several, together]

    def parts(self) -> Iterator[str | Table]:
        """What was measured, where ways break even, and what is advised."""
        yield f"{self.machine}; encoder {self.encoder}"
        yield (
            f"{self.tokens_per_second:,.0f} tokens/s, {self.tokens:.0f} tokens per text; planned for "
            f"{counted(self.tasks, 'task')} and {counted(self.texts, 'text')}; measured in "
            f"{self.seconds:,.0f} of {60 * self.minutes:,.0f} s"
        )
        for one in self.plans:
            yield from one.parts()
        yield ""
        titles = {one.way.name: one.way.title for plan in self.plans for one in plan.findings}
        for balance in self.balances:
            if not balance.by_tasks:
                continue
            for axis, changes in (("tasks", balance.by_tasks), ("texts", balance.by_texts)):
                words = "; ".join(f"{titles[change.way]} from {change.at:,}" for change in changes)
                yield f"cheapest by {axis} (bank {balance.bank}): {words}"
        yield from self.notes
        for words in self.words:
            yield from ("", words)
