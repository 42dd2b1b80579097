# ruff: noqa: INP001 - a script, not a package
"""Fills the figures of README.md and docs/ from bench/claims.jsonl, and finds figures that no claim stands behind.

A figure of speed, size or accuracy is written as a mark, whose text this script keeps true:

    <!--figure:search.int8.batch-->5.6 times<!--/figure-->
    <!--figure:tails.full unsigned-->3.37 points<!--/figure-->

The comments are invisible where Markdown is rendered. `unsigned` leaves the sign of the figure out.

    python docs/marks.py
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLAIMS = ROOT / "bench" / "claims.jsonl"

MARK = re.compile(r"(<!--figure:([\w.]+)( unsigned)?-->)(.*?)(<!--/figure-->)", re.DOTALL)
_CODE = re.compile(r"^(```+|~~~+).*?^\1|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_NUMBER = r"(?<![\w.,/^-])[+-]?\d[\d,]*(?:\.\d+)?"
_UNIT = (
    r"times|%|percent|points?|(?:texts|rows|sentences|queries|vectors)(?:/s| per second| a second)|[µm]?s|"
    r"seconds?|minutes?|hours?|[kMGT]i?B|bytes (?:per|a) text"
)
FIGURE = re.compile(rf"{_NUMBER}(?:\s+(?:to|and|or)\s+[\d.,]+)?[\s ]?(?:{_UNIT})(?![\w/])")
"""A number with a unit of speed, size or accuracy. Plain bytes are none: they are arithmetic of a format."""

ALLOWED = {
    r"16 times smaller than float16 does \(by arithmetic\)": "a definition: one bit to sixteen",
    r"1 % of an int8 row of 384, 8 % of a binary one": "a definition: four bytes to 384 and to 48",
    r"16 MiB of rows": "a parameter: what waits for a commit",
    r"segments below 1 MiB": "a parameter: which segments are joined",
    r"25, 50 and 75 % of the depth": "a parameter: where cuts are tried",
    r"within 1 %; norms, softmax": "a bound that a test holds: operations counted",
    r"1.3 times its expected seconds": "a parameter: when a head is begun",
    r"in at most 12 minutes on two cores": "a bound: what the suite may take",
    r"an interval of 95 %": "a definition: the width of an interval",
    r"as in 20GB": "an example of a parameter",
    r"in at most \d+ minutes": "a limit on the time of the tests",
    r"more than 8 GB of lines": "a parameter: the size from which lines are not counted",
}
"""Phrases with a figure that no measurement stands behind, as regular expressions, each with its kind."""


def pages() -> list[Path]:
    """The pages that are looked through: README.md and all of docs/, generated references included."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def figures() -> dict[str, str]:
    """Figures by the id of their claim."""
    claims = map(json.loads, CLAIMS.read_text(encoding="utf-8").splitlines())
    return {claim["id"]: claim["figure"] for claim in claims}


def filled(text: str, known: dict[str, str]) -> str:
    """A page with every mark filled.

    Raises:
        KeyError: for a mark whose claim is unknown.
        ValueError: for a mark that is not closed, or that is opened in another way.
    """

    def fill(mark: re.Match[str]) -> str:
        figure = known[mark[2]]
        return mark[1] + (figure.lstrip("+-") if mark[3] else figure) + mark[5]

    opened = text.count("<!--figure:")
    if not len(MARK.findall(text)) == opened == text.count("<!--/figure-->"):
        raise ValueError("write a mark as <!--figure:id-->...<!--/figure-->, or <!--figure:id unsigned-->...")
    return MARK.sub(fill, text)


def broken(phrase: str) -> str:
    """A phrase that may be broken into lines between any two words."""
    return phrase.replace(" ", r"\s+")


def strays(text: str) -> Iterator[str]:
    """Figures with a unit that stand in prose or tables outside of marks and are of no allowed kind."""
    prose = _COMMENT.sub("", MARK.sub("", _CODE.sub("", text)))
    for phrase in ALLOWED:
        prose = re.sub(broken(phrase), "", prose)
    for figure in FIGURE.finditer(prose):
        yield " ".join(prose[max(0, figure.start() - 40) : figure.end() + 20].split())


def main() -> None:
    """Fill every page."""
    known = figures()
    for page in pages():
        text = page.read_text(encoding="utf-8")
        try:
            fresh = filled(text, known)
        except (KeyError, ValueError) as error:
            sys.exit(f"{page.relative_to(ROOT)}: {error}")
        if fresh != text:
            page.write_text(fresh, encoding="utf-8")
            sys.stdout.write(f"{page.relative_to(ROOT)}: figures filled\n")


if __name__ == "__main__":
    main()
