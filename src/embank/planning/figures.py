"""Figures as inline SVG: points with intervals, lines with crossings; readable in light and dark, titled for all.

No script, no font, no address: colours are CSS variables of the page, and a family of ways has its shape as well.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 82, 156, 16, 52
_LINE = 15
"""Height of a line of text."""

_LETTER = 6.4
"""About the width of a letter."""

_SIZE = 5.0
_BESIDE = 15.0
"""How far beside its mark a name stands."""

_DECADE = 10.0
_MOST_TICKS = 8
_FEW = 3
_SAMPLES = 120
_STROKE = 2

TIMES = tuple(
    size * number
    for size, numbers in (
        (1.0, (0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)),
        (60.0, (0.5, 1, 2, 5, 10, 30)),
        (3600.0, (1, 2, 5, 12)),
        (86_400.0, (1, 3, 10, 30, 100, 300, 1000, 10_000)),
    )
    for number in numbers
)
"""Seconds that people find round."""

Written = Callable[[float], str]
"""Numbers as they stand at an axis."""


@dataclass(frozen=True)
class Axis:
    """One axis of a figure.

    Attributes:
        title: what it shows.
        low: smallest value.
        high: largest value.
        logarithmic: whether equal distances are equal ratios.
        written: numbers as words.
        round: values that may be marked, where they are not the usual ones, as of time.
    """

    title: str
    low: float
    high: float
    logarithmic: bool
    written: Written
    round: tuple[float, ...] = ()

    def at(self, value: float) -> float:
        """Where a value stands, 0 to 1."""
        low, high, here = self.low, self.high, value
        if self.logarithmic:
            low, high, here = math.log(low), math.log(high), math.log(max(value, self.low * 1e-3))
        return (here - low) / (high - low)

    def ticks(self) -> list[float]:
        """Round values inside."""
        if self.round:
            inside = [value for value in self.round if self.low <= value <= self.high]
            return inside[:: -(-len(inside) // _MOST_TICKS)] if inside else [self.low, self.high]
        if not self.logarithmic:
            return _round_ticks(self.low, self.high)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        steps = (1, 2, 5) if math.log10(self.high / self.low) <= _FEW else (1,)
        step = max(1, (last - first) // 6)
        found = [factor * _DECADE**power for power in range(first, last + 1, step) for factor in steps]
        return [value for value in found if self.low * 0.999 <= value <= self.high * 1.001]


def axis(
    title: str, values: Sequence[float], written: Written, *, logarithmic: bool, marked: tuple[float, ...] = ()
) -> Axis:
    """An axis that has room for values.

    >>> axis("s", [3.0, 700.0], str, logarithmic=True).ticks()
    [2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0]
    """
    sound = [value for value in values if math.isfinite(value) and (value > 0 or not logarithmic)] or [1.0]
    low, high = min(sound), max(sound)
    if logarithmic:
        return Axis(title, low / 1.5, max(high * 1.5, low * 2), logarithmic, written, marked)
    room = max((high - low) * 0.08, abs(high) * 0.01, 1e-6)
    return Axis(title, low - room, high + room, logarithmic, written, marked)


@dataclass(frozen=True)
class Point:
    """A way in a figure.

    Attributes:
        name: that stands beside it.
        kind: of way; decides colour and shape.
        x: value.
        y: value.
        low: end of an interval along y.
        high: its other end.
        chosen: whether it is the advised one.
    """

    name: str
    kind: str
    x: float
    y: float
    low: float
    high: float
    chosen: bool = False


@dataclass(frozen=True)
class Curve:
    """A line in a figure: its name and kind, and its values."""

    name: str
    kind: str
    value: Callable[[float], float]


@dataclass(frozen=True)
class Crossing:
    """A place where two lines trade places."""

    x: float
    y: float
    words: str


@dataclass(frozen=True)
class Frame:
    """What a figure is about.

    Attributes:
        name: of the figure, unique on its page.
        title: a sentence, for those who see it and those who hear it.
        description: what can be seen, in words.
        x: the axis along the bottom.
        y: the axis along the left side.
    """

    name: str
    title: str
    description: str
    x: Axis
    y: Axis
    height: int = field(default=HEIGHT)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where values stand in the figure, in its units."""
        across = _LEFT + self.x.at(x) * (WIDTH - _LEFT - _RIGHT)
        down = _TOP + (1 - self.y.at(y)) * (self.height - _TOP - _BOTTOM)
        return across, down


def scatter(frame: Frame, points: Sequence[Point]) -> str:
    """Points with intervals and names."""
    places = [frame.place(point.x, point.y) for point in points]
    labels = _apart(places, [point.name for point in points], frame.height)
    parts = []
    for point, (x, y), (label_x, label_y) in zip(points, places, labels, strict=True):
        low, high = frame.place(point.x, point.low)[1], frame.place(point.x, point.high)[1]
        low, high = min(low, frame.height - _BOTTOM), max(high, _TOP)
        words = f"{point.name}: {frame.y.written(point.y)} at {frame.x.written(point.x)}"
        leader = f'<path class="leader" d="M{x + _SIZE:.1f},{y:.1f} L{label_x - 2:.1f},{label_y:.1f}"/>'
        parts.append(
            f'<g class="{escape(point.kind)}"><title>{escape(words)}</title>'
            f'<path class="interval" d="M{x:.1f},{low:.1f} V{high:.1f}"/>'
            f"{leader if abs(label_y - y) > _SIZE or label_x - x > 2 * _LINE else ''}"
            f"{_shape(point.kind, x, y)}{_ring(x, y) if point.chosen else ''}"
            f'<text class="name" x="{label_x:.1f}" y="{label_y + 4:.1f}">{escape(point.name)}</text></g>'
        )
    return _drawn(frame, parts)


def lines(frame: Frame, curves: Sequence[Curve], crossings: Sequence[Crossing]) -> str:
    """Lines with their names at the right end, and marked crossings."""
    parts, ends = [], []
    for curve in curves:
        places = [frame.place(x, curve.value(x)) for x in _spread(frame.x)]
        inside = [(x, min(max(y, _TOP), frame.height - _BOTTOM)) for x, y in places]
        path = " L".join(f"{x:.1f},{y:.1f}" for x, y in inside)
        parts.append(
            f'<g class="{escape(curve.kind)}"><title>{escape(curve.name)}</title><path class="line" d="M{path}"/></g>'
        )
        ends.append((inside[-1][0] + 8, inside[-1][1]))
    for curve, (x, y) in zip(curves, _stacked(ends, frame.height), strict=True):
        parts.append(
            f'<g class="{escape(curve.kind)}"><text class="name" x="{x:.1f}" y="{y + 4:.1f}">'
            f"{escape(curve.name)}</text></g>"
        )
    for number, one in enumerate(crossings):
        x, y = frame.place(one.x, one.y)
        below = number % 2 == 0
        parts.append(
            f'<g class="crossing"><title>{escape(one.words)}</title><circle cx="{x:.1f}" cy="{y:.1f}" r="{_SIZE}"/>'
            f'<text x="{x:.1f}" y="{y + (20 if below else -11):.1f}" text-anchor="middle">'
            f"{escape(frame.x.written(one.x))}</text></g>"
        )
    return _drawn(frame, parts)


def _drawn(frame: Frame, parts: Sequence[str]) -> str:
    """The whole figure: axes, grid, contents."""
    bottom, right = frame.height - _BOTTOM, WIDTH - _RIGHT
    grid = []
    for value in frame.x.ticks():
        x = frame.place(value, frame.y.low)[0]
        grid.append(
            f'<path class="grid" d="M{x:.1f},{_TOP} V{bottom}"/>'
            f'<text class="tick" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">'
            f"{escape(frame.x.written(value))}</text>"
        )
    for value in frame.y.ticks():
        y = frame.place(frame.x.low, value)[1]
        grid.append(
            f'<path class="grid" d="M{_LEFT},{y:.1f} H{right}"/>'
            f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{escape(frame.y.written(value))}</text>"
        )
    name = escape(frame.name)
    titles = (
        f'<text class="axis" x="{(_LEFT + right) / 2:.1f}" y="{bottom + 42}" text-anchor="middle">'
        f'{escape(frame.x.title)}</text><text class="axis" text-anchor="middle" '
        f'transform="translate(14,{(_TOP + bottom) / 2:.1f}) rotate(-90)">{escape(frame.y.title)}</text>'
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {frame.height}" role="img" aria-labelledby="{name}-title {name}-words">'
        f'<title id="{name}-title">{escape(frame.title)}</title>'
        f'<desc id="{name}-words">{escape(frame.description)}</desc>'
        f'{"".join(grid)}<path class="frame" d="M{_LEFT},{_TOP} V{bottom} H{right}"/>{titles}{"".join(parts)}</svg>'
    )


def _apart(places: Sequence[tuple[float, float]], names: Sequence[str], height: int) -> list[tuple[float, float]]:
    """Places for the names of marks: beside them, moved up or down until no name lies on another one or on a mark."""
    taken = [(x - _SIZE, x + _SIZE, y) for x, y in places]
    found: dict[int, tuple[float, float]] = {}
    for at in sorted(range(len(places)), key=lambda at: places[at][1]):
        x, y = places[at]
        wide = _LETTER * len(names[at])
        x = min(x + _BESIDE, WIDTH - wide - 2)
        steps = sorted(range(-60, 61), key=abs)  # the nearest place first
        for option in (places[at][1] + step * _LINE / 2 for step in steps):
            if not _TOP <= option <= height - _BOTTOM - 4:
                continue
            if all(abs(option - other) >= _LINE or x > end or x + wide < start for start, end, other in taken):
                y = option
                break
        taken.append((x, x + wide, y))
        found[at] = (x, y)
    return [found[at] for at in range(len(places))]


def _stacked(places: Sequence[tuple[float, float]], height: int) -> list[tuple[float, float]]:
    """Names at the right end, one below the other."""
    order = sorted(range(len(places)), key=lambda at: places[at][1])
    found: dict[int, tuple[float, float]] = {}
    last = _TOP - _LINE + 4.0
    for rank, at in enumerate(order):
        room = height - _BOTTOM - (len(order) - rank - 1) * _LINE
        last = min(max(places[at][1], last + _LINE), room)
        found[at] = (places[at][0], last)
    return [found[at] for at in range(len(places))]


def _spread(own: Axis) -> list[float]:
    """Values along an axis."""
    shares = [at / _SAMPLES for at in range(_SAMPLES + 1)]
    if own.logarithmic:
        return [own.low * (own.high / own.low) ** share for share in shares]
    return [own.low + (own.high - own.low) * share for share in shares]


def _round_ticks(low: float, high: float) -> list[float]:
    """Five or so round values."""
    rough = (high - low) / 5
    power = _DECADE ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step) + 1)]


def _shape(kind: str, x: float, y: float) -> str:
    """A shape a kind, for those who see no colours."""
    size = _SIZE
    if kind == "tail":
        return f'<rect class="mark" x="{x - size:.1f}" y="{y - size:.1f}" width="{2 * size}" height="{2 * size}"/>'
    if kind == "limited":
        return f'<path class="mark" d="M{x:.1f},{y - 6:.1f} l6,11 h-12 z"/>'
    if kind == "student":
        return f'<path class="mark" d="M{x:.1f},{y - 7:.1f} l7,7 l-7,7 l-7,-7 z"/>'
    if kind == "finetune":
        return f'<path class="mark" d="M{x:.1f},{y + 6:.1f} l6,-11 h-12 z"/>'
    return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="{size}"/>'


def _ring(x: float, y: float) -> str:
    return f'<circle class="chosen" cx="{x:.1f}" cy="{y:.1f}" r="{2 * _SIZE}" stroke-width="{_STROKE}"/>'
