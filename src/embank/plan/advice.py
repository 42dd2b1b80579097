"""The advice: the cheapest way whose score is within the tolerance plus one standard error of the best.

One standard error is the rule of Breiman et al. 1984, Classification and Regression Trees, section 3.4.3: a difference
that the rows cannot show is not paid for. Here it is that of the difference between the two ways on the same held-out
rows. Why this rule, and what it measured: docs/decisions/0020-advice-of-a-plan.md.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from statistics import fmean

import numpy as np

from embank.plan import Cost, Finding, Recommendation, Score, TaskPlan, Unmeasured, Way
from embank.plan.scores import Scores
from embank.reports.wording import counted

_CLOSE = 1e-9
"""Rounding errors of points."""

ERRORS = 1.0
"""Standard errors that a cheaper way may be behind, beyond the tolerance."""

_EQUAL = 1.05
"""Of one family, seconds that differ by less than a twentieth count as equal."""

_LEAST = 0.05
"""Points that are 0.0 when they are written."""

_RULE = (
    "Where time is short, one rule measured best on six public sets: a tail from a third of the depth, here {title}."
)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A way with the figures that decide between ways.

    Attributes:
        way: which.
        points: its score.
        behind: points that it is behind the best way, on the rows that both were scored on.
        standard_error: of that difference; 0 for the best way itself.
        seconds: it takes for all tasks and texts.
        text_bytes: per text in the bank.
    """

    way: Way
    points: float
    behind: float
    standard_error: float
    seconds: float
    text_bytes: float = 0.0


def advised(offers: Sequence[Offer], tolerance: float) -> Offer:
    """The cheapest offer that is no further behind the best than the tolerance plus one standard error.

    Of one family, seconds that differ by less than a twentieth count as equal; then fewer bytes win, then more points.
    No offer that is dearer than the best is ever chosen.

    Args:
        offers: at least one; one of them is the best.
        tolerance: in points.
    """
    best = best_of(offers)
    near = [
        one
        for one in offers
        if one.behind <= tolerance + ERRORS * one.standard_error + _CLOSE and one.seconds <= best.seconds
    ]
    first = min(near, key=lambda one: (one.seconds, -one.points))
    alike = [one for one in near if one.way.family == first.way.family and one.seconds <= first.seconds * _EQUAL]
    return min(alike, key=lambda one: (one.text_bytes, -one.points))


def best_of(offers: Sequence[Offer]) -> Offer:
    """The offer with the most points; of equal ones the cheapest."""
    return max(offers, key=lambda one: (one.points, -one.seconds))


def offers_of(found: Sequence[Finding], scores: Scores) -> list[Offer]:
    """Findings with how far each is behind the best."""
    best = max(found, key=lambda one: (one.score.points, -one.total_seconds))
    several = []
    for one in found:
        behind, error = scores.difference(best.way.name, one.way.name)
        several.append(
            Offer(
                way=one.way,
                points=one.score.points,
                behind=behind,
                standard_error=error,
                seconds=one.total_seconds,
                text_bytes=one.text_bytes,
            )
        )
    return several


def for_task(
    task: str, found: Sequence[Finding], lacking: Sequence[Unmeasured], offers: Sequence[Offer], tolerance: float
) -> Recommendation:
    """Advice for one task.

    Args:
        task: its name.
        found: what was measured.
        lacking: what was not.
        offers: the findings, compared.
        tolerance: in points.
    """
    missing = _missing(found, lacking)
    if not offers:
        words = f"Give more --minutes, or fewer --label columns. {missing}".strip()
        return Recommendation(
            headline=f"No advice for {task}: no way was measured in this time.", words=words, complete=False
        )
    choice, best = advised(offers, tolerance), best_of(offers)
    of = {one.way.name: one for one in found}
    chosen, top = of[choice.way.name], of[best.way.name]
    reasons = [f"It scores {written(chosen.score)} and takes about {span(chosen.total_seconds)} in all."]
    if choice is best:
        cheaper = any(one.seconds < choice.seconds for one in offers)
        reasons.append(
            "No cheaper way is close enough to it." if cheaper else "It has the best score and the lowest cost."
        )
    else:
        times = top.total_seconds / max(chosen.total_seconds, 1e-9)
        reasons.append(
            f"The best score is that of {best.way.title}, {written(top.score)}: {_gap(choice)}, and it takes "
            f"{times:,.1f} times as long."
        )
        if choice.behind > tolerance:
            reasons.append(
                f"That is more than the tolerance of {tolerance:g} points, but not by more than the "
                f"{counted(min(chosen.score.rows, top.score.rows), 'held-out row')} can show."
            )
    reasons += [missing] if missing else []
    return Recommendation(
        way=choice.way,
        best=best.way,
        headline=f"Serve {task} with {choice.way.title}.",
        words=" ".join(reasons),
        behind=choice.behind,
        standard_error=choice.standard_error,
        complete=not lacking,
    )


def overall(tasks: Sequence[tuple[TaskPlan, Sequence[Offer]]], tolerance: float) -> Recommendation:
    """Advice for all tasks together: one way for all of them, by mean score and mean cost.

    Args:
        tasks: the plan of each, and its offers.
        tolerance: in points.
    """
    plans = [plan for plan, _ in tasks]
    if len(plans) == 1:
        return plans[0].recommendation
    several: dict[str, list[Offer]] = {}
    for _, offers in tasks:
        for one in offers:
            several.setdefault(one.way.name, []).append(one)
    shared = [_mean_offer(own) for own in several.values() if len(own) == len(plans)]
    if not shared:
        headline = f"No advice for all {len(plans)} tasks together: no way was measured for each of them."
        return Recommendation(headline=headline, words="Give more --minutes.", complete=False)
    level = best_of(shared).behind
    shared = [replace(one, behind=one.behind - level) for one in shared]
    choice, best = advised(shared, tolerance), best_of(shared)
    words = [f"In the mean of the tasks it scores {choice.points:.1f} points and takes about {span(choice.seconds)}."]
    if best is not choice:
        words.append(f"The best in the mean is {best.way.title}: {best.points:.1f} points, about {span(best.seconds)}.")
    for plan in plans:
        way = plan.recommendation.way
        if way is not None and way != choice.way:
            words.append(f"{plan.task} alone is better served with {way.title}.")
    return Recommendation(
        way=choice.way,
        best=best.way,
        headline=f"If all tasks are to be served one way, use {choice.way.title}.",
        words=" ".join(words),
        behind=choice.behind,
        standard_error=choice.standard_error,
        complete=all(one.recommendation.complete for one in plans),
    )


def mean_costs(plans: Sequence[TaskPlan]) -> dict[str, Cost]:
    """Costs in the mean of the tasks, of ways that were measured for all of them.

    Of frozen heads only the cheapest: codecs differ by less than the noise of their seconds.
    """
    several: dict[str, list[Finding]] = {}
    for plan in plans:
        for one in plan.findings:
            several.setdefault(one.way.name, []).append(one)
    totals = {
        name: sum(one.total_seconds for one in found)
        for name, found in several.items()
        if len(found) == len(plans) and found[0].way.family == "frozen"
    }
    for name in sorted(totals, key=totals.__getitem__)[1:]:
        del several[name]
    return {
        name: Cost(*np.mean([astuple(one.seconds) for one in found], axis=0).tolist())
        for name, found in several.items()
        if len(found) == len(plans)
    }


def written(score: Score) -> str:
    """A score for people.

    >>> from embank.plan import Score
    >>> written(Score(points=80.1, low=78.2, high=82.0, runs=3, rows=300))
    '80.1 points (95 %: 78.2 to 82.0)'
    """
    return f"{score.points:.1f} points (95 %: {score.low:.1f} to {score.high:.1f})"


def span(seconds: float) -> str:
    """Seconds for people.

    >>> span(0.25), span(75), span(5400), span(200_000)
    ('0.2 s', '75 s', '1.5 h', '2.3 days')
    """
    for limit, unit, size, digits in ((10, "s", 1, 1), (120, "s", 1, 0), (3600, "min", 60, 1), (172_800, "h", 3600, 1)):
        if seconds < limit:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds / 86_400:,.1f} days"


def _gap(offer: Offer) -> str:
    if abs(offer.behind) < _LEAST:
        return "the same on the same rows"
    side = "more" if offer.behind > 0 else "fewer"
    return f"{abs(offer.behind):.1f} {side} on the same rows (standard error {offer.standard_error:.1f})"


def _missing(found: Sequence[Finding], lacking: Sequence[Unmeasured]) -> str:
    """The ways that were not measured, and the rule for short time."""
    if not lacking:
        return ""
    words = [f"Not measured: {', '.join(one.way.title for one in lacking)}."]
    ways = [*(one.way for one in found), *(one.way for one in lacking)]
    tails = [way for way in ways if way.family == "tail"]
    if tails:
        words.append(_RULE.format(title=min(tails, key=lambda way: way.cut).title))
    return " ".join(words)


def _mean_offer(own: Sequence[Offer]) -> Offer:
    return Offer(
        way=own[0].way,
        points=fmean(one.points for one in own),
        behind=fmean(one.behind for one in own),
        standard_error=float(np.linalg.norm([one.standard_error for one in own])) / len(own),
        seconds=fmean(one.seconds for one in own),
        text_bytes=fmean(one.text_bytes for one in own),
    )
