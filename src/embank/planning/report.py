"""A plan as one HTML file that needs nothing else: advice, figures, tables, what was left out, the machine."""

from collections.abc import Sequence
from html import escape

from embank.planning import Balance, Change, Finding, Plan, TaskPlan
from embank.planning.breakeven import by_tasks
from embank.planning.figures import TIMES, Axis, Crossing, Curve, Frame, Point, axis, lines, scatter
from embank.planning.recommending import span
from embank.reports.wording import counted

_MOST_TASKS = 50
_LINES = 7
_MEGA, _KILO = 1e6, 1e3
_WORDS = {"macro_f1": "macro-F1", "r2": "R2"}
_UNITS = {"seconds": "seconds", "flops": "operations"}

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1f24; --faint: #5d6570; --rule: #dfe3e8; --frozen: #1f6fd1;
  --tail: #b3541e; --limited: #8a6d00; --student: #2b7d4f; --finetune: #9b3fa5; --best: #d1242f; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --ink: #e6e9ed; --faint: #9aa4b0; --rule: #323840;
  --frozen: #6cacf5; --tail: #f0955a; --limited: #d9b93b; --student: #63c18d; --finetune: #d48ade; --best: #ff7b80; } }
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 60rem; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
h3 { font-size: 1rem; margin: 1.8rem 0 .3rem; }
p.advice { border-left: 4px solid var(--best); padding: .2rem 0 .2rem 1rem; font-size: 1.05rem; }
p.note, figcaption, caption, small { color: var(--faint); font-size: .88rem; }
figure { margin: 1rem 0; } svg { width: 100%; height: auto; max-width: 760px; display: block; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; width: 100%; }
caption { text-align: left; padding-bottom: .4rem; }
th, td { padding: .3rem .6rem .3rem 0; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
td.words, th.words { text-align: left; white-space: normal; }
tr.chosen td { font-weight: 600; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg text.tick, svg text.axis { fill: var(--faint); }
.grid { stroke: var(--rule); fill: none; } .frame { stroke: var(--faint); fill: none; }
.frozen { --own: var(--frozen); } .tail { --own: var(--tail); } .limited { --own: var(--limited); }
.student { --own: var(--student); } .finetune { --own: var(--finetune); }
.mark { fill: var(--own); } .interval { stroke: var(--own); stroke-opacity: .55; fill: none; }
.line { stroke: var(--own); stroke-width: 2; fill: none; }
.leader { stroke: var(--faint); stroke-width: .7; fill: none; }
svg text.name { fill: var(--own); } .chosen circle, circle.chosen { stroke: var(--best); fill: none; }
.crossing circle { fill: var(--paper); stroke: var(--ink); stroke-width: 2; }
.crossing text { font-weight: 600; }
"""


def page(plan: Plan) -> str:
    """The report: HTML without any address, script or font; it can be parsed as XML as well."""
    names = ", ".join(one.task for one in plan.plans)
    parts = [
        f"<h1>How to serve {escape(names)}</h1>",
        f'<p class="note">A plan for {counted(plan.tasks, "task")} and {counted(plan.texts, "text")} each; measured '
        f"in {plan.seconds:,.0f} of {60 * plan.minutes:,.0f} seconds.</p>",
        *_advice(plan),
        *_over_tasks(plan),
        *(part for number, one in enumerate(plan.plans) for part in _task(plan, one, number)),
        *_balances(plan),
        _ground(plan),
    ]
    title = f"<title>Plan: {escape(names)}</title>"
    head = f'<head><meta charset="utf-8"/>{title}<meta name="viewport" content="width=device-width"/>'
    body = "\n".join(parts)
    return f'<!DOCTYPE html>\n<html lang="en">{head}<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n'


def _advice(plan: Plan) -> list[str]:
    words = [
        f'<p class="advice"><strong>{escape(one.task)}.</strong> {escape(one.recommendation.words)}</p>'
        for one in plan.plans
    ]
    if len(plan.plans) > 1:
        words.append(f'<p class="advice">{escape(plan.overall.words)}</p>')
    return ["<h2>Advice</h2>", *words]


def _over_tasks(plan: Plan) -> list[str]:
    """Total cost against the number of tasks, for an empty bank and for one that is filled."""
    if not plan.means:
        return []
    found = ["<h2>Cost and number of tasks</h2>"]
    for balance in plan.balances:
        if balance.unit == "seconds":
            empty = balance.bank == "empty"
            state = "nothing encoded yet" if empty else "all texts in the bank already"
            title = f"Seconds in all, {state}, by the number of tasks; {plan.texts:,} texts a task"
            found.append(
                _figure(_by_tasks(plan, balance, title), title + ". Circles: where another way becomes cheapest.")
            )
    return found


def _by_tasks(plan: Plan, balance: Balance, title: str) -> str:
    costs = {name: cost if balance.bank == "empty" else cost.filled() for name, (cost, _) in plan.means.items()}
    kinds = {one.way.name: one.way.family for task in plan.plans for one in task.findings}
    own = {name: by_tasks(cost, plan.texts) for name, cost in costs.items()}
    most = max([_MOST_TASKS, 2 * plan.tasks, *(2 * one.at for one in balance.by_tasks if one.at <= 10 * _MOST_TASKS)])
    shown = _shown(plan, balance)
    values = [own[name].at(number) for name in shown for number in (1, most)]
    frame = Frame(
        f"tasks-{balance.bank}",
        title,
        _changes(balance.by_tasks, "task"),
        Axis("tasks", 1.0, float(most), logarithmic=True, written=_plain),
        axis("in all", [max(value, 1e-3) for value in values], _clock, logarithmic=True, marked=TIMES),
    )
    curves = [Curve(name, kinds[name], own[name].at) for name in shown]
    crossings = [
        Crossing(one.at, own[one.way].at(one.at), f"from {one.at:,} tasks on, {one.way} is cheapest")
        for one in balance.by_tasks[1:]
        if one.at <= most and one.way in own
    ]
    return lines(frame, curves, crossings)


def _shown(plan: Plan, balance: Balance) -> list[str]:
    """Ways that a figure of lines has room for: those that are cheapest somewhere, the advised ones, and yardsticks."""
    advised = [one.recommendation.way.name for one in plan.plans if one.recommendation.way]
    best = [one.recommendation.best.name for one in plan.plans if one.recommendation.best]
    outside = [name for name in plan.means if name.startswith(("student", "finetune"))]
    wanted = [*(one.way for one in balance.by_tasks), *advised, *best, *outside, *plan.means]
    return [name for name in dict.fromkeys(wanted) if name in plan.means][:_LINES]


def _task(plan: Plan, one: TaskPlan, number: int) -> list[str]:
    measure = _WORDS.get(one.measure, one.measure)
    parts = [
        f"<h2>Task {escape(one.task)}</h2>",
        f'<p class="note">{escape(one.kind)}, {one.rows:,} labelled texts. Points are hundredths of {measure}, on '
        f"held-out rows: {escape(one.protocol)}.</p>",
    ]
    if one.findings:
        chosen = one.recommendation.way.name if one.recommendation.way else ""
        title = (
            f"{one.task}: points against seconds for {counted(plan.tasks, 'task')} and {counted(plan.texts, 'text')}"
        )
        parts.append(_figure(_against(one, chosen, f"cost-{number}", title), title + ". Ring: the advised way."))
        title = f"{one.task}: points against bytes that a text takes in the bank"
        parts.append(
            _figure(_bytes(one, chosen, f"bytes-{number}", title), title + "; what lives outside is left out.")
        )
        parts.append(_table(one, chosen))
    if one.unmeasured:
        rows = [f"<li>{escape(lacking.way.title)}: {escape(lacking.reason)}</li>" for lacking in one.unmeasured]
        parts += ["<h3>Left unmeasured</h3>", f"<ul>{''.join(rows)}</ul>"]
    return parts


def _against(one: TaskPlan, chosen: str, name: str, title: str) -> str:
    points = [_point(found, found.total_seconds, chosen) for found in one.findings]
    x = axis("time in all", [point.x for point in points], _clock, logarithmic=True, marked=TIMES)
    return scatter(Frame(name, title, _ranked(one.findings), x, _points_axis(points)), points)


def _bytes(one: TaskPlan, chosen: str, name: str, title: str) -> str:
    stored = [found for found in one.findings if found.text_bytes > 0]
    points = [_point(found, found.text_bytes, chosen) for found in stored]
    x = axis("bytes a text", [point.x for point in points], _size, logarithmic=True)
    return scatter(Frame(name, title, _ranked(stored), x, _points_axis(points)), points)


def _point(found: Finding, x: float, chosen: str) -> Point:
    way, score = found.way, found.score
    return Point(way.name, way.family, max(x, 1e-3), score.points, score.low, score.high, way.name == chosen)


def _points_axis(points: Sequence[Point]) -> Axis:
    ends = [end for point in points for end in (point.low, point.high)]
    return axis("points", ends, lambda value: f"{value:.4g}", logarithmic=False)


def _ranked(found: Sequence[Finding]) -> str:
    """The findings as a sentence, for those who do not see the figure."""
    ranked = sorted(found, key=lambda one: -one.score.points)
    return "; ".join(f"{one.way.title} {one.score.points:.1f} points, {span(one.total_seconds)}" for one in ranked)


def _table(one: TaskPlan, chosen: str) -> str:
    heads = ("way", "points", "95 %", "expected", "runs", "fit", "texts/s", "one more task", "bytes", "MFLOP", "in all")
    rows = []
    for found in one.findings:
        score = found.score
        cells = (
            found.way.title,
            f"{score.points:.1f}",
            f"{score.low:.1f} to {score.high:.1f}",
            f"{score.expected:.1f}",
            f"{score.runs}",
            span(found.training_seconds),
            f"{found.texts_per_second:,.0f}",
            f"{found.more_per_second:,.0f}",
            f"{found.text_bytes:,.0f}",
            f"{found.text_flops / _MEGA:,.1f}",
            span(found.total_seconds),
        )
        mark = ' class="chosen"' if found.way.name == chosen else ""
        rows.append(f"<tr{mark}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    intervals = "; ".join(dict.fromkeys(found.score.interval for found in one.findings))
    caption = (
        f"Cheapest first. expected: points with the luck of few runs taken out, by which the advice goes; fit: "
        f"training one task on all labelled texts; texts/s: one task on unseen texts; one more "
        f"task: texts/s of another task on the same pass; MFLOP: of one task on a text, from the architecture. "
        f"Intervals: "
        f"{escape(intervals)}."
    )
    head = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f'<div class="scroll"><table><caption>{caption}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _balances(plan: Plan) -> list[str]:
    rows = [
        f"<tr><td>{_UNITS[one.unit]}, bank {one.bank}</td>"
        f'<td class="words">{escape(_changes(one.by_tasks, "task"))}</td>'
        f'<td class="words">{escape(_changes(one.by_texts, "text"))}</td></tr>'
        for one in plan.balances
        if one.by_tasks
    ]
    if not rows:
        return []
    head = (
        f'<th scope="col">counted in</th><th class="words" scope="col">by tasks, {plan.texts:,} texts each</th>'
        f'<th class="words" scope="col">by texts, {counted(plan.tasks, "task")}</th>'
    )
    return [
        "<h2>Break-even</h2>",
        '<div class="scroll"><table><caption>Which way is cheapest, and from which number on.</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>",
    ]


def _changes(changes: Sequence[Change], what: str) -> str:
    return "; ".join(f"{one.way} from {counted(one.at, what)}" for one in changes)


def _ground(plan: Plan) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in plan.notes)
    return (
        f"<h2>Machine</h2><ul><li>{escape(plan.machine)}</li><li>encoder {escape(plan.encoder)}</li>"
        f"<li>{plan.tokens_per_second:,.0f} tokens/s, {plan.tokens:.1f} tokens a text</li>{notes}</ul>"
    )


def _figure(drawn: str, caption: str) -> str:
    return f"<figure>{drawn}<figcaption>{escape(caption)}</figcaption></figure>"


def _clock(seconds: float) -> str:
    """Seconds at an axis.

    >>> _clock(0.5), _clock(30), _clock(90), _clock(7200), _clock(259_200)
    ('0.5 s', '30 s', '1.5 min', '2 h', '3 d')
    """
    for limit, unit, size in ((60, "s", 1), (3600, "min", 60), (86_400, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86_400:,.3g} d"


def _plain(value: float) -> str:
    return f"{value:,.0f}"


def _size(value: float) -> str:
    return f"{value:.0f} B" if value < _KILO else f"{value / _KILO:.3g} kB"
