"""Makes bench/RESULTS.md, one row per claim, from bench/claims.jsonl and the parts of studies.

Figures that can be computed from parts are computed first and put back into bench/claims.jsonl, so that documents show
what the parts say.

    python bench/results.py
"""

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import claims
import figures

FILE = Path(__file__).resolve().parent / "RESULTS.md"

MOST = 150
"""Lines of RESULTS.md: what nobody reads to its end is not read."""

HEAD = """\
# Results

One row per claim: the newest figure, met or short of its target; "-" where no target was set. Made by
`python bench/results.py` from [claims.jsonl](claims.jsonl) and [parts/](parts/): edit those. The studies behind the
rows, what was tried and what lost stand in [log/](log/2026-11.md). Points are of macro-F1 (entity F1 for words) unless
a row says otherwise. Ratios come from one run, both sides in turn; speeds of different rows were taken at different
hours of virtual machines and do not compare. Where a figure is computed from several parts, commit and date are those
of the newest. EPYC is an AMD EPYC, Xeon an Intel Xeon, each with 2 cores and 24 GiB.

| id | claim | figure | target | | machine, commit, date | command |
|---|---|---:|---|---|---|---|
"""


def current() -> dict[str, claims.Claim]:
    """All claims, with figures and verdicts computed anew; commit and date are those of the newest part.

    Raises:
        KeyError: for a computed figure without a claim, or without one of its parts.
    """
    found = claims.read()
    for name in figures.COMPUTED:
        figure, newest = figures.compute(name)
        where = {"machine": newest.get("machine", found[name].machine), "commit": newest["commit"]}
        found[name] = replace(found[name], figure=figure, date=newest["day"], **where)
    return {name: replace(one, verdict=claims.verdict(one.figure, one.target)) for name, one in found.items()}


def row(one: claims.Claim) -> str:
    """A claim as a row of the table."""
    where = f"{_short(one.machine)}, {one.commit}, {one.date}"
    command = one.command if "(log" in one.command else f"`{one.command}`"
    verdict = f"**{one.verdict}**" if one.verdict == "short" else one.verdict
    cells = (f"`{one.id}`", one.claim, one.figure, one.target, verdict, where, command)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def page(found: dict[str, claims.Claim]) -> str:
    """The text of RESULTS.md.

    Raises:
        ValueError: if it would be longer than MOST lines.
    """
    text = HEAD
    for section, rows in groupby(found.values(), key=lambda one: one.section):
        text += f"| **{claims.SECTIONS[section]}** | | | | | | |\n" + "".join(map(row, rows))
    if text.count("\n") > MOST:
        raise ValueError(f"{text.count(chr(10))} lines, and at most {MOST}: drop the claims that nobody needs")
    return text


def _short(machine: str) -> str:
    for whole, short in {"AMD EPYC, 2 cores, 24 GiB": "EPYC", "Intel Xeon, 2 cores, 24 GiB": "Xeon"}.items():
        machine = machine.replace("(R)", "").replace(" Processor", "").replace(whole, short)
    return machine


def main() -> None:
    found = current()
    claims.write(found)
    FILE.write_text(page(found), encoding="utf-8")
    short = [name for name, one in found.items() if one.verdict == "short"]
    print(f"{len(found)} claims, {len(short)} short of their target: {', '.join(short)}")


if __name__ == "__main__":
    main()
