"""A plan as one HTML file: advice, figures, tables, unmeasured ways, the machine."""

from collections.abc import Sequence

from embank.plan import Balance, Change, Finding, Plan, TaskPlan, Way
from embank.plan.advice import span, written
from embank.plan.break_even import by_tasks
from embank.reports import figures, html
from embank.reports.figures import Axis, Crossing, Dot, Frame, Line
from embank.reports.wording import counted

_MOST_TASKS = 50
"""A figure of tasks goes so far at least."""

_SAMPLES = 60
_MEGA = 1e6
_SERIES = {"frozen": 0, "tail": 1, "student": 2, "finetune": 3}
_SECOND_TAIL = 4
"""Numbers of colours."""

_MEASURES = {"macro_f1": "macro-F1", "r2": "R2"}
_STATES = {"empty": "With nothing encoded yet", "filled": "With all texts in the bank already"}

_TIMES = tuple(
    size * number
    for size, numbers in (
        (1.0, (0.001, 0.01, 0.1, 1, 3, 10, 30)),
        (60.0, (1, 3, 10, 30)),
        (3600.0, (1, 3, 10)),
        (86_400.0, (1, 3, 10, 30, 100, 300, 1000, 10_000)),
    )
    for number in numbers
)
"""Seconds that people find round."""

_COUNTS = tuple(factor * 10**power for power in range(7) for factor in (1, 2, 5))


def plan_html(plan: Plan) -> str:
    """The report of a plan: one page without any address, script or font.

    Without matplotlib (the extra `report`) it says in place of the figures how to install it.
    """
    names = _listed([one.task for one in plan.plans])
    parts = [
        html.note(
            f"A plan for {counted(plan.tasks, 'task')} and {counted(plan.texts, 'text')} each, measured in "
            f"{plan.seconds:,.0f} of {60 * plan.minutes:,.0f} seconds."
        ),
        *(html.advice(one.recommendation.headline, one.recommendation.words) for one in plan.plans),
    ]
    if len(plan.plans) > 1:
        parts.append(html.advice(plan.overall.headline, plan.overall.words))
    if not figures.is_available():
        parts.append(
            html.note("For figures, install matplotlib and write the report again: pip install 'embank[report]'")
        )
    for number, one in enumerate(plan.plans):
        parts += _task(plan, one, number)
    parts += [
        *_over_tasks(plan),
        *_break_even(plan),
        html.heading("How this was measured"),
        html.bullets(_ground(plan)),
    ]
    return html.page(f"How to serve {names}", parts)


def _task(plan: Plan, one: TaskPlan, number: int) -> list[str]:
    """Figures and numbers of one task."""
    measure = _MEASURES.get(one.measure, one.measure)
    parts = [
        html.heading(f"Task {one.task}"),
        html.note(
            f"{one.kind}, {counted(one.rows, 'labelled text')}. A point is a hundredth of {measure} on held-out rows: "
            f"{one.protocol}."
        ),
    ]
    chosen = next((place for place, own in enumerate(one.findings) if own.way == one.recommendation.way), None)
    if chosen is not None:
        if figures.is_available():
            parts.append(html.figures([_scores(plan, one, number), _seconds(plan, one, number)]))
        parts.append(_table(one, chosen))
    if one.unmeasured:
        parts.append(html.paragraph("Not measured:"))
        parts.append(html.bullets([f"{lacking.way.title}: {lacking.reason}" for lacking in one.unmeasured]))
    return parts


def _scores(plan: Plan, one: TaskPlan, number: int) -> str:
    """Scores with intervals, cheapest first."""
    chosen, best = _advised(one)
    says = f"{_label(chosen.way)} scores best"
    if chosen is not best:
        says = f"{_label(chosen.way)} is close enough to {_label(best.way)}, the best"
    frame = Frame(
        name=f"scores-{number}",
        title=f"{one.task}: {says}",
        caption="Points on held-out rows with 95 % intervals, the cheapest way on top; circled: the advised way; "
        f"shaded: within {plan.tolerance:g} points of the best.",
        alt="; ".join(f"{own.way.title}: {written(own.score)}" for own in one.findings),
        x=Axis(label="score", unit=f"points of {_MEASURES.get(one.measure, one.measure)}"),
    )
    rows = [
        Dot(
            name=_label(own.way),
            value=own.score.points,
            low=own.score.low,
            high=own.score.high,
            series=_SERIES[own.way.family],
            chosen=own is chosen,
        )
        for own in one.findings
    ]
    return figures.dots(frame, rows, (best.score.points - plan.tolerance, best.score.points))


def _seconds(plan: Plan, one: TaskPlan, number: int) -> str:
    """Total time, cheapest first."""
    chosen, best = _advised(one)
    says = f"{_label(chosen.way)} takes {span(chosen.total_seconds)}"
    if chosen is not best:
        times = best.total_seconds / max(chosen.total_seconds, 1e-9)
        says += f", {_label(best.way)} {times:,.1f} times as long"
    elif chosen is not one.findings[0]:
        says += f", {_label(one.findings[0].way)} {span(one.findings[0].total_seconds)}"
    frame = Frame(
        name=f"seconds-{number}",
        title=f"{one.task}: {says}",
        caption=f"Time for {counted(plan.tasks, 'task')} and {counted(plan.texts, 'text')} each, training included; "
        "the cheapest way on top; circled: the advised way.",
        alt="; ".join(f"{own.way.title}: {span(own.total_seconds)}" for own in one.findings),
        x=Axis(label="time in all", unit="s, min, h; log scale", logarithmic=True, written=_clock, ticks=_TIMES),
    )
    rows = [
        Dot(
            name=_label(own.way),
            value=max(own.total_seconds, 1e-3),
            series=_SERIES[own.way.family],
            chosen=own is chosen,
        )
        for own in one.findings
    ]
    return figures.dots(frame, rows)


def _over_tasks(plan: Plan) -> list[str]:
    """Total time against the number of tasks, for an empty bank and for one that is filled."""
    if not plan.means or not figures.is_available():
        return []
    return [html.heading("With more tasks"), html.figures([_by_tasks(plan, one) for one in plan.balances])]


def _by_tasks(plan: Plan, balance: Balance) -> str:
    ways = {own.way.name: own.way for task in plan.plans for own in task.findings if own.way.name in plan.means}
    several = {
        name: by_tasks(cost if balance.bank == "empty" else cost.filled(), plan.texts)
        for name, cost in plan.means.items()
    }
    most = max([_MOST_TASKS, 2 * plan.tasks, *(2 * one.at for one in balance.by_tasks if one.at <= 10 * _MOST_TASKS)])
    places = [most ** (at / _SAMPLES) for at in range(_SAMPLES + 1)]
    changes = [one for one in balance.by_tasks[1:] if one.at <= most]
    frame = Frame(
        name=f"tasks-{balance.bank}",
        title=f"{_STATES[balance.bank]}, {_cheapest(balance.by_tasks, _labels(plan), 'task')}",
        caption=f"Time in all for {counted(plan.texts, 'text')} per task, mean of the measured tasks; circles: another "
        f"way becomes the cheapest from this number of tasks on.",
        alt=_cheapest(balance.by_tasks, _labels(plan), "task"),
        x=Axis(
            label="tasks", unit="number, log scale", logarithmic=True, ticks=_COUNTS, written=lambda at: f"{at:,.0f}"
        ),
        y=Axis(label="time in all", unit="s, min, h; log scale", logarithmic=True, ticks=_TIMES, written=_clock),
    )
    tails = [way for way in ways.values() if way.family == "tail"]
    drawn = [
        Line(
            name=_label(way),
            series=_SECOND_TAIL if way in tails[1:] else _SERIES[way.family],
            x=places,
            y=[max(several[name].at(at), 1e-3) for at in places],
        )
        for name, way in ways.items()
    ]
    return figures.lines(
        frame, drawn, [Crossing(one.at, several[one.way].at(one.at), counted(one.at, "task")) for one in changes]
    )


def _table(one: TaskPlan, chosen: int) -> str:
    heads = ("way", "points", "95 %", "folds", "training", "texts/s", "next task, texts/s", "bytes", "MFLOP", "in all")
    rows = [
        (
            _label(own.way),
            f"{own.score.points:.1f}",
            f"{own.score.low:.1f} to {own.score.high:.1f}",
            f"{own.score.runs}",
            span(own.training_seconds),
            f"{own.texts_per_second:,.0f}",
            f"{own.more_per_second:,.0f}",
            f"{own.text_bytes:,.0f}",
            f"{own.text_flops / _MEGA:,.1f}",
            span(own.total_seconds),
        )
        for own in one.findings
    ]
    caption = (
        "Cheapest first. training: one task on all labelled texts; texts/s: one task on texts that are not encoded; "
        "next task: one more on the same pass; bytes: per text in the bank; MFLOP: one task on a text, from the "
        "architecture."
    )
    return html.table(caption, heads, rows, chosen=chosen)


def _break_even(plan: Plan) -> list[str]:
    titles = _labels(plan)
    rows = [
        (one.bank, _cheapest(one.by_tasks, titles, "task"), _cheapest(one.by_texts, titles, "text"))
        for one in plan.balances
        if one.by_tasks
    ]
    if not rows:
        return []
    heads = ("bank", f"by tasks, {plan.texts:,} texts each", f"by texts, {counted(plan.tasks, 'task')}")
    caption = "Which way is cheapest, and from which number on."
    return [html.heading("Break-even"), html.table(caption, heads, rows, words=True)]


def _cheapest(changes: Sequence[Change], titles: dict[str, str], what: str) -> str:
    """Which way is cheapest from which number on, in words."""
    words = [f"{titles.get(one.way, one.way)} from {counted(one.at, what)} on" for one in changes[1:]]
    return "; ".join([f"{titles.get(changes[0].way, changes[0].way)} is cheapest", *words]) if changes else ""


def _ground(plan: Plan) -> list[str]:
    speed = f"{plan.tokens_per_second:,.0f} tokens per second, {plan.tokens:.1f} tokens per text"
    sure = (
        "An interval says what other held-out rows would change (bootstrap over rows), not what another training "
        "would: in our own measurements two trainings of one tail differ by about 1.5 points"
    )
    return [plan.machine, f"encoder {plan.encoder}", speed, sure, *plan.notes]


def _advised(one: TaskPlan) -> tuple[Finding, Finding]:
    """The advised finding, and the best."""
    of = {own.way: own for own in one.findings}
    assert one.recommendation.way is not None  # noqa: S101 - the caller looked
    return of[one.recommendation.way], of[one.recommendation.best or one.recommendation.way]


def _labels(plan: Plan) -> dict[str, str]:
    return {own.way.name: _label(own.way) for one in plan.plans for own in one.findings}


def _label(way: Way) -> str:
    """A way's name in a figure."""
    if way.family == "frozen":
        return f"frozen {way.name.removeprefix('frozen/')}"
    if way.family == "finetune":
        return "fine-tuning"
    return f"tail from layer {way.cut}" if way.family == "tail" else f"{way.layers}-layer student"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _clock(seconds: float) -> str:
    """Seconds at an axis.

    >>> _clock(0.5), _clock(60), _clock(7200), _clock(259_200)
    ('0.5 s', '1 min', '2 h', '3 days')
    """
    for limit, unit, size in ((60, "s", 1), (3600, "min", 60), (86_400, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return counted(round(seconds / 86_400), "day")
