"""The advice: the cheapest way whose score is within the tolerance of the best, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embank.planning import Cost, Finding, Plan, PlanSettings, Recommendation, TaskPlan, Unmeasured, Way
from embank.planning.intervals import Runs, difference
from embank.reports.wording import counted

_NOTHING = (
    "Nothing could be measured in this time, so nothing is advised. Give more --minutes, or fewer --label columns."
)
_CLOSE = 1e-9
_NAMED = 3
_EQUAL = 1.05
_LEAST = 0.05


@dataclass(frozen=True)
class Offer:
    """A way with what decides between ways.

    Attributes:
        way: which.
        points: its score, with the luck taken out.
        seconds: it takes for all tasks and texts.
        text_bytes: that a text takes in the bank.
    """

    way: Way
    points: float
    seconds: float
    text_bytes: float = 0.0


def advised(offers: Sequence[Offer], tolerance: float) -> tuple[Offer, Offer]:
    """The cheapest offer within the tolerance of the best, and the best.

    Of one family, seconds that differ by less than a twentieth count as equal; then fewer bytes win, then more points.

    Args:
        offers: at least one.
        tolerance: in points.
    """
    best = max(offers, key=lambda one: (one.points, -one.seconds))
    near = [one for one in offers if one.points >= best.points - tolerance - _CLOSE]
    first = min(near, key=lambda one: one.seconds)
    alike = [one for one in near if one.way.family == first.way.family and one.seconds <= first.seconds * _EQUAL]
    return min(alike, key=lambda one: (one.text_bytes, -one.points)), best


def for_task(
    found: Sequence[Finding], scores: Mapping[str, Runs], settings: tuple[PlanSettings, int, int], *, folds: bool
) -> Recommendation:
    """Advice for one task.

    Args:
        found: what was measured.
        scores: runs by the way's name.
        settings: what the user said, and the numbers of tasks and texts.
        folds: whether runs have held-out rows of their own.
    """
    if not found:
        return Recommendation(None, None, _NOTHING)
    asked, tasks, texts = settings
    offers = [Offer(one.way, one.score.expected, one.total_seconds, one.text_bytes) for one in found]
    choice, best = advised(offers, asked.tolerance)
    of = {one.way.name: one for one in found}
    chosen, top = of[choice.way.name], of[best.way.name]
    begin = (
        f"Serve it with {choice.way.title}: {_points(chosen)}, for {counted(tasks, 'task')} and "
        f"{counted(texts, 'text')} about {span(chosen.total_seconds)}."
    )
    if choice is best:
        return Recommendation(choice.way, best.way, " ".join([begin, *_rivals(chosen, found, scores, folds=folds)]))
    gap = best.points - choice.points
    sure = difference(scores[best.way.name], scores[choice.way.name], gap, folds=folds)
    certain = sure.high <= asked.tolerance
    times = top.total_seconds / max(chosen.total_seconds, 1e-9)
    more = f"{gap:.1f} points more" if gap >= _LEAST else f"less than {2 * _LEAST:g} points more"
    middle = (
        f"The best is {best.way.title}, {_points(top)}; that is {more}, within the tolerance of "
        f"{asked.tolerance:g}, and takes {times:,.1f} times as long."
    )
    words = [begin, middle]
    if gap >= _LEAST and sure.low <= 0:
        words.append(f"The difference between the two is within noise ({sure.low:+.1f} to {sure.high:+.1f} points).")
    elif not certain:
        words.append(f"It could be as much as {sure.high:.1f} points; more --minutes would tell.")
    noise = _noise(found, (chosen, top), scores, asked.tolerance, folds=folds)
    if noise:
        titles = _listed([of[name].way.title for name in noise])
        words.append(f"Cheaper, and too near to the tolerance to be told apart from it: {titles}.")
    return Recommendation(choice.way, best.way, " ".join(words), noise, certain)


def with_gaps(advice: Recommendation, lacking: Sequence[Unmeasured]) -> Recommendation:
    """Advice that says which ways it knows nothing of."""
    if not lacking or advice.way is None:
        return advice
    titles = _listed([one.way.title for one in sorted(lacking, key=lambda one: one.way.family != "finetune")])
    return replace(advice, words=f"{advice.words} Not measured, and so not compared: {titles}.")


def overall(plans: Sequence[TaskPlan], tolerance: float, tasks: int, texts: int) -> Recommendation:
    """Advice for all tasks together: one way for all of them, by mean score and mean cost.

    Args:
        plans: one a task.
        tolerance: in points.
        tasks: how many there will be.
        texts: that each is predicted on.
    """
    if len(plans) == 1:
        return plans[0].recommendation
    names = [name for name, _ in mean_costs(plans).items()]
    if not names:
        return Recommendation(None, None, f"No way was measured for all {len(plans)} tasks. Give more --minutes.")
    own = {name: [next(one for one in plan.findings if one.way.name == name) for plan in plans] for name in names}
    offers = [
        Offer(
            found[0].way,
            _mean([one.score.expected for one in found]),
            _mean([one.total_seconds for one in found]),
            _mean([one.text_bytes for one in found]),
        )
        for found in own.values()
    ]
    choice, best = advised(offers, tolerance)
    words = [
        f"For all {tasks:,} tasks together, serve them with {choice.way.title}: {choice.points:.1f} points in "
        f"the mean of {len(plans)} tasks, about {span(choice.seconds)} for {counted(texts, 'text')}."
    ]
    if best is not choice:
        words.append(f"The best in the mean is {best.way.title}: {best.points:.1f} points, {span(best.seconds)}.")
    others = [plan for plan in plans if plan.recommendation.way not in (None, choice.way)]
    for plan in others:
        way = plan.recommendation.way
        words.append(f"Task {plan.task} by itself is better served with {way.title if way else ''}.")
    return Recommendation(choice.way, best.way, " ".join(words))


def mean_costs(plans: Sequence[TaskPlan]) -> dict[str, tuple[Cost, Cost]]:
    """Costs in seconds and in operations, in the mean of the tasks, of ways that were measured for all of them."""
    several: dict[str, list[Finding]] = {}
    for plan in plans:
        for one in plan.findings:
            several.setdefault(one.way.name, []).append(one)
    return {
        name: (mean_cost([one.seconds for one in found]), mean_cost([one.flops for one in found]))
        for name, found in several.items()
        if len(found) == len(plans)
    }


def mean_cost(costs: Sequence[Cost]) -> Cost:
    """The mean of costs, part by part."""
    return Cost(*(_mean([getattr(one, part) for one in costs]) for part in ("once", "text", "task", "task_text")))


def span(seconds: float) -> str:
    """Seconds for people.

    >>> span(0.25), span(75), span(5400), span(200_000)
    ('0.2 s', '75 s', '1.5 h', '2.3 days')
    """
    for limit, unit, size in ((10, "s", 1), (120, "s", 1), (3600, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.{1 if limit != 120 else 0}f} {unit}"  # noqa: PLR2004 - whole seconds
    return f"{seconds / 86_400:,.1f} days"


def words_of(plan: Plan) -> list[str]:
    """The advice of a plan, a paragraph a task and one for all."""
    words = [f"{one.task}: {one.recommendation.words}" for one in plan.plans]
    return words if len(plan.plans) == 1 else [*words, plan.overall.words]


def _noise(
    found: Sequence[Finding],
    pair: tuple[Finding, Finding],
    scores: Mapping[str, Runs],
    tolerance: float,
    *,
    folds: bool,
) -> tuple[str, ...]:
    """Ways cheaper than the advised one that might be within the tolerance as well."""
    chosen, top = pair
    close = []
    for one in found:
        if one.total_seconds * _EQUAL < chosen.total_seconds:
            gap = top.score.expected - one.score.expected
            if difference(scores[top.way.name], scores[one.way.name], gap, folds=folds).low <= tolerance:
                close.append(one.way.name)
    return tuple(close)


def _rivals(chosen: Finding, found: Sequence[Finding], scores: Mapping[str, Runs], *, folds: bool) -> list[str]:
    """What to say where the best way is the advised one."""
    cheaper = [one for one in found if one.total_seconds * _EQUAL < chosen.total_seconds]
    if not cheaper:
        return ["It is the best that was measured, and the cheapest."]
    words = ["It is the best that was measured; no cheaper way comes within the tolerance."]
    near = []
    for one in cheaper:
        gap = chosen.score.expected - one.score.expected
        if difference(scores[chosen.way.name], scores[one.way.name], gap, folds=folds).low <= 0:
            near.append(one.way.title)
    if near:
        words.append(f"Cheaper, and not told apart from it by these rows: {_listed(near)}.")
    return words


def _listed(titles: Sequence[str]) -> str:
    """Some of them, and how many others there are."""
    more = len(titles) - _NAMED
    return ", ".join(titles[:_NAMED]) + (f" and {more} others" if more > 1 else f", {titles[-1]}" if more == 1 else "")


def _points(one: Finding) -> str:
    score = one.score
    luck = f", of which {score.expected:.1f} are expected to last" if score.expected <= score.points - _LEAST else ""
    luck = f", and {score.expected:.1f} expected of more runs" if score.expected >= score.points + _LEAST else luck
    return f"{score.points:.1f} points ({score.low:.1f} to {score.high:.1f}){luck}"


def _mean(numbers: Sequence[float]) -> float:
    return float(np.mean(numbers))
