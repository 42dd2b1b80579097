"""Figures: titled, with units, in colours that differ for all, and part of a page that loads nothing."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations

import numpy as np
import pytest

from embank.errors import ExtraMissingError
from embank.reports import figures
from embank.reports.figures import COLOURS, PLAIN, Axis, Crossing, Dot, Frame, Line, dots, lines, style_sheet

SCORE = Axis(label="score", unit="points")
FRAME = Frame(name="one", title="A <title> & more", caption="A caption.", alt="Words for all.", x=SCORE)
ROWS = [Dot(name="first", value=80.0, low=78.0, high=82.0), Dot(name="second", value=81.0, series=1, chosen=True)]


def drawn(**given):
    frame = Frame(
        name="two", title="Lines", caption="A caption.", alt="Words.",
        x=Axis(label="tasks", unit="number", logarithmic=True, ticks=(1, 10, 100), written="{:.0f}".format),
        y=Axis(label="time", unit="seconds", logarithmic=True),
    )  # fmt: skip
    several = [Line(name=f"way {at}", series=at, x=[1, 10, 100], y=[1 + at, 10, 100]) for at in range(4)]
    return lines(frame, several, **given)


def tree(figure):
    return ET.fromstring(figure)  # noqa: S314 - our own figure


def test_a_figure_has_a_title_words_for_those_who_cannot_see_it_and_a_caption():
    found = tree(dots(FRAME, ROWS))
    assert found.find("h3").text == "A <title> & more"
    assert found.find("figcaption").text == "A caption."
    svg = found.find("svg")
    assert svg.attrib["role"] == "img"
    told = [svg.find(f"*[@id='{name}']").text for name in svg.attrib["aria-labelledby"].split()]
    assert told == ["A <title> & more", "Words for all."]


def test_axes_have_units_and_rows_have_names():
    written = [text.text for text in tree(dots(FRAME, ROWS)).iter("text")]
    assert {"score (points)", "first", "second"} <= set(written)
    written = [text.text for text in tree(drawn()).iter("text")]
    assert {"tasks (number)", "time (seconds)", "1", "10", "100", "way 0", "way 3"} <= set(written)


def test_a_figure_loads_nothing_and_has_ids_of_its_own():
    both = dots(FRAME, ROWS) + drawn(crossings=[Crossing(10.0, 10.0, "from 10 on")])
    for word in ("http", "//", "<script", "@import", "src=", "xmlns", "<metadata", "<!DOCTYPE"):
        assert word not in both, word
    ids = re.findall(r'\bid="([^"]*)"', both)
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="#|url\(#)([^")]*)', both)
    assert used
    assert set(used) <= set(ids)
    assert "from 10 on" in both


def test_every_colour_is_a_variable_of_the_page():
    both = dots(FRAME, ROWS, (79.0, 81.0)) + drawn()
    assert not re.findall(r"#[0-9a-fA-F]{6}", both)
    used = set(re.findall(r"var\(--([\w-]+)\)", both))
    defined = set(re.findall(r"--([\w-]+):", style_sheet()))
    assert used <= defined
    assert {"series-0", "series-1", "ink", "rule", "zone"} <= used


def test_the_same_figure_is_drawn_the_same_twice():
    assert dots(FRAME, ROWS) == dots(FRAME, ROWS)


def test_lines_differ_by_dashes_as_well_as_by_colours():
    found = drawn()
    styles = {style for style in re.findall(r'style="([^"]*)"', found) if "series-" in style}
    assert len({re.search(r"series-\d", style).group() for style in styles}) == 4
    assert len({"".join(re.findall(r"stroke-dasharray: [^;]*", style)) for style in styles}) == 4


def luminance(colour):
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


# Machado, Oliveira & Fernandes 2009, severity 1.0, on linear light.
SEEN_BY = {
    "all": np.eye(3),
    "protanopes": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopes": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopes": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(linear):
    """CIE L*a*b* of linear light."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear.clip(0, 1)
    x, y, z = (np.cbrt(one) if one > 0.008856 else 7.787 * one + 16 / 116 for one in xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("who", SEEN_BY)
@pytest.mark.parametrize("paper", [0, 1], ids=["light", "dark"])
def test_colours_differ_for_the_colour_blind_in_light_and_dark(who, paper):
    """A difference of 10 in L*a*b* is seen at a glance; one of 2 is just seen."""
    seen = [lab(np.array(SEEN_BY[who]) @ luminance(pair[paper])) for pair in COLOURS]
    assert min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2)) > 10


@pytest.mark.parametrize("paper", [0, 1], ids=["light", "dark"])
def test_colours_stand_out_from_the_paper(paper):
    """WCAG 2.2, 1.4.11 wants a contrast of 3 for graphics, and 1.4.3 one of 4.5 for letters."""

    def contrast(colour):
        bright, dark = sorted(
            (luminance(one) @ [0.2126, 0.7152, 0.0722] for one in (colour, PLAIN["paper"][paper])), reverse=True
        )
        return (bright + 0.05) / (dark + 0.05)

    assert all(contrast(pair[paper]) >= 3 for pair in COLOURS)
    assert all(contrast(PLAIN[name][paper]) >= 4.5 for name in ("ink", "faint"))


def test_without_matplotlib_a_figure_says_what_to_install(monkeypatch):
    def absent(module, extra):
        raise ExtraMissingError(f"{module} is not installed; install it with: pip install 'embank[{extra}]'")

    monkeypatch.setattr(figures, "load", absent)
    with pytest.raises(ExtraMissingError, match=r"embank\[report\]"):
        dots(FRAME, ROWS)
