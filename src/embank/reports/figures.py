"""Figures for reports: matplotlib draws, and the page gets inline SVG that follows its colours and fonts.

Text stays text, colours become the page's CSS variables, so that one drawing serves light and dark; ids get the
figure's name, and nothing points outside. Each figure has a title that says what is to be seen, axes with units, a
caption of one sentence, and words for those who cannot see it. Colours differ for the colour-blind as well, and lines
differ by their dashes, too.
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from embank.optional import is_installed, load

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis as DrawnAxis

WIDTH, ROW, LINES_HEIGHT = 4.8, 0.29, 3.5
"""Inches: a figure's width, the height of one row of dots, and that of a figure of lines. Narrow, so that letters can
be read on a phone; a wide page sets two figures side by side."""

COLOURS = (
    ("#1a56db", "#3b95ff"),
    ("#7a3a00", "#c8621b"),
    ("#0aa06e", "#3fe0a6"),
    ("#dd55c0", "#f294d7"),
    ("#96902a", "#f5e65c"),
    ("#23272c", "#7d838c"),
)
"""Colours of series, on light and on dark paper: blue, brown, green, pink, olive, grey. Searched for a large smallest
difference, for normal and for colour-blind eyes, at a contrast of 3 or more to the paper (a test measures both)."""

PLAIN = {"paper": ("#ffffff", "#14171b"), "ink": ("#1c1f24", "#e6e9ed"), "faint": ("#5d6570", "#9aa4b0"),
         "rule": ("#dfe3e8", "#323840"), "zone": ("#eaf1e4", "#26301f")}  # fmt: skip
"""Colours of everything else, on light and on dark paper."""

_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 1.5)), (0, (9, 2)))
_DRAWN = {
    **{f"series-{at}": f"#a0b0c{at}" for at in range(len(COLOURS))},
    **{name: f"#d0e0f{at}" for at, name in enumerate(PLAIN)},
}
"""Stand-ins that matplotlib draws with; each is replaced by the variable of its name."""

_STYLE = {
    "svg.fonttype": "none", "font.size": 10, "axes.edgecolor": _DRAWN["faint"], "axes.labelcolor": _DRAWN["ink"],
    "text.color": _DRAWN["ink"], "xtick.color": _DRAWN["faint"], "ytick.color": _DRAWN["faint"], "axes.axisbelow": True,
    "xtick.labelcolor": _DRAWN["ink"], "ytick.labelcolor": _DRAWN["ink"], "axes.grid": True, "grid.linewidth": 0.7,
    "grid.color": _DRAWN["rule"], "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.7,
    "legend.frameon": False, "font.family": "sans-serif", "xtick.minor.size": 0, "ytick.minor.size": 0,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis.

    Attributes:
        label: what it shows.
        unit: what it is counted in.
        logarithmic: whether equal distances are equal ratios.
        written: a value as words; None leaves it to matplotlib.
        ticks: values that may be marked; empty leaves it to matplotlib.
    """

    label: str
    unit: str
    logarithmic: bool = False
    written: Callable[[float], str] | None = None
    ticks: Sequence[float] = ()

    @property
    def title(self) -> str:
        """Label and unit."""
        return f"{self.label} ({self.unit})"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Title, caption and axes of a figure.

    Attributes:
        name: unique on its page: letters, digits and hyphens.
        title: a sentence that says what is to be seen.
        caption: a sentence that says how to read it.
        alt: what it shows, in words, for those who cannot see it.
        x: the horizontal axis.
        y: the vertical axis; figures of dots have names there and take no axis.
    """

    name: str
    title: str
    caption: str
    alt: str
    x: Axis
    y: Axis | None = None


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A row of a figure of dots.

    Attributes:
        name: written beside it.
        value: where it stands.
        low: lower end of its interval; None has no interval.
        high: upper end.
        series: number of its colour.
        chosen: whether it stands out.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    series: int = 0
    chosen: bool = False


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a figure: its name, the number of its colour, and its values."""

    name: str
    series: int
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Crossing:
    """A place where lines cross, and what is written beside it."""

    x: float
    y: float
    words: str


def is_available() -> bool:
    """Whether figures can be drawn: they need the extra `report`."""
    return is_installed("matplotlib")


def dots(frame: Frame, rows: Sequence[Dot], zone: tuple[float, float] | None = None) -> str:
    """Values with intervals, one per row, the first on top.

    Args:
        frame: title, caption and axis.
        rows: at least one.
        zone: a range of values that is shaded.

    Returns:
        A `figure` element.

    Raises:
        ExtraMissingError: matplotlib is not installed.
    """

    def draw(axes: "Axes") -> None:
        if zone is not None:
            axes.axvspan(*zone, color=_DRAWN["zone"], zorder=0, linewidth=0)
        for place, row in enumerate(rows):
            colour = _DRAWN[f"series-{row.series % len(COLOURS)}"]
            if row.low is not None and row.high is not None:
                axes.plot([row.low, row.high], [place, place], color=colour, linewidth=1.6, alpha=0.6)
            axes.plot([row.value], [place], "o", color=colour, markersize=6.5)
            if row.chosen:
                axes.plot([row.value], [place], "o", markersize=12, markerfacecolor="none", color=_DRAWN["ink"])
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        for label, row in zip(axes.get_yticklabels(), rows, strict=True):
            label.set_fontweight("bold" if row.chosen else "normal")
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)

    return _figure(frame, draw, ROW * len(rows) + 0.75)


def lines(frame: Frame, several: Sequence[Line], crossings: Sequence[Crossing] = ()) -> str:
    """Lines with a legend below them, and marked crossings.

    Args:
        frame: title, caption and both axes.
        several: at least one line.
        crossings: places to mark.

    Returns:
        A `figure` element.

    Raises:
        ExtraMissingError: matplotlib is not installed.
    """

    def draw(axes: "Axes") -> None:
        for line in several:
            at = line.series % len(COLOURS)
            axes.plot(line.x, line.y, color=_DRAWN[f"series-{at}"], linestyle=_DASHES[at], linewidth=2, label=line.name)
        for one in crossings:
            axes.plot([one.x], [one.y], "o", markersize=7, color=_DRAWN["ink"], markerfacecolor=_DRAWN["paper"])
            axes.annotate(one.words, (one.x, one.y), (7, -9), textcoords="offset points", fontsize=9, va="top")
        axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.2), ncols=2, handlelength=2.6, columnspacing=1.2)

    return _figure(frame, draw, LINES_HEIGHT + 0.22 * ((len(several) + 1) // 2))


def style_sheet() -> str:
    """The variables that figures are coloured with, for light and dark pages and for paper."""
    names = [*PLAIN.items(), *((f"series-{at}", pair) for at, pair in enumerate(COLOURS))]
    light, dark = (" ".join(f"--{name}: {pair[at]};" for name, pair in names) for at in (0, 1))
    screen = "@media screen and (prefers-color-scheme: dark)"
    return f":root {{ {light} }}\n{screen} {{ :root {{ {dark} }} }}"


def _figure(frame: Frame, draw: "Callable[[Axes], None]", height: float) -> str:
    """A drawing in its frame."""
    matplotlib = load("matplotlib", "report")
    figures, backend = load("matplotlib.figure", "report"), load("matplotlib.backends.backend_svg", "report")
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": frame.name}):
        figure = figures.Figure(figsize=(WIDTH, height), layout="constrained")
        backend.FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        draw(axes)
        _finish(axes.xaxis, axes.set_xscale, frame.x)
        if frame.y is not None:
            _finish(axes.yaxis, axes.set_yscale, frame.y)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True)
    return (
        f"<figure><h3>{escape(frame.title)}</h3>{_inline(written.getvalue(), frame)}"
        f"<figcaption>{escape(frame.caption)}</figcaption></figure>"
    )


def _finish(axis: "DrawnAxis", set_scale: Callable[[str], None], wanted: Axis) -> None:
    """Scale, ticks and title of an axis."""
    low, high = axis.get_view_interval()
    if wanted.logarithmic:
        set_scale("log")
        low, high = axis.get_view_interval()
        low, high = (low / 1.6, high * 1.6) if high < 4 * low else (low, high)
        axis.set_view_interval(low, high, ignore=True)
    if wanted.ticks:
        inside = [value for value in wanted.ticks if low <= value <= high] or [low, high]
        inside = inside[:: -(-len(inside) // 6)]
        axis.set_ticks(inside, [wanted.written(value) if wanted.written else f"{value:g}" for value in inside])
        axis.set_ticks([], minor=True)
    axis.set_label_text(wanted.title)


def _inline(svg: str, frame: Frame) -> str:
    """A drawing as part of a page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{frame.name}-", svg)
    for name, colour in _DRAWN.items():
        svg = svg.replace(colour, f"var(--{name})")
    # Letters of the page, in its units: SVG's own are points of 1/72 inch.
    svg = re.sub(r"font: ((?:bold |700 )?[\d.]+px) [^;\"]*", r"font: \1 system-ui, sans-serif", svg)
    box = re.search(r'viewBox="([^"]*)"', svg)
    assert box is not None  # noqa: S101 - matplotlib always writes one
    body = svg[svg.index(">") + 1 :]
    names = f'aria-labelledby="{frame.name}-title {frame.name}-alt"'
    title = f'<title id="{frame.name}-title">{escape(frame.title)}</title>'
    alt = f'<desc id="{frame.name}-alt">{escape(frame.alt)}</desc>'
    return f'<svg viewBox="{box.group(1)}" role="img" {names}>{title}{alt}{body.strip()}'
