"""The claims: one entry per figure that Embank states anywhere, in bench/claims.jsonl, and what of them is met.

`bench/results.py` makes RESULTS.md of them, and `make docs` fills the marks of README.md and docs/ with their figures.
"""

import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

FILE = Path(__file__).resolve().parent / "claims.jsonl"

SECTIONS = {
    "encode": "Encoding and the bank",
    "accuracy": "Accuracy of stored vectors",
    "heads": "Heads and prediction",
    "tails": "Tails",
    "training": "Training and pooling",
    "models": "Models trained on other tasks",
    "distill": "Distilled students",
    "search": "Search and deduplication",
    "plan": "Plans and break-even",
    "package": "The package itself",
}
"""Sections of RESULTS.md in their order, by the short name that entries use."""

NUMBER = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim.

    Attributes:
        id: the name by which a document asks for the figure, such as `search.int8.batch`.
        section: a key of SECTIONS.
        claim: what is claimed, in one plain sentence.
        figure: the figure as a document shows it, with its unit: "4.4 times".
        target: "at least 4 times", "at most 200 MB", "within 0.2 points", or "-" where none was set.
        verdict: "met", "short", or "-" without a target.
        machine: processor, cores, memory.
        commit: that was measured; a plus sign says that files differed from it.
        date: as YYYY-MM-DD.
        command: that measures it again.
        parts: the study in bench/parts whose parts the figure is computed from, or "".
    """

    id: str
    section: str
    claim: str
    figure: str
    target: str
    verdict: str
    machine: str
    commit: str
    date: str
    command: str
    parts: str = ""


def read(file: Path = FILE) -> dict[str, Claim]:
    """All claims by id, in the order of the file.

    Raises:
        ValueError: for an id that stands there twice.
    """
    claims: dict[str, Claim] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        one = Claim(**json.loads(line))
        if one.id in claims:
            raise ValueError(f"{file.name} has {one.id} twice: keep the newer line")
        claims[one.id] = one
    return claims


def write(claims: dict[str, Claim], file: Path = FILE) -> None:
    """Write all claims, grouped by section; the file is whole or as it was."""
    order = list(SECTIONS)
    rows = sorted(claims.values(), key=lambda one: order.index(one.section))
    fresh = file.with_suffix(".new")
    fresh.write_text("".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in rows), encoding="utf-8")
    fresh.replace(file)


def put(claim: Claim, file: Path = FILE) -> None:
    """Replace the claim of the same id, or add it; its verdict is computed."""
    claims = read(file) if file.is_file() else {}
    claims[claim.id] = replace(claim, verdict=verdict(claim.figure, claim.target))
    write(claims, file)


def number(text: str) -> float | None:
    """The first number of a figure or target."""
    first = NUMBER.search(text)
    return float(first[0].replace(",", "")) if first else None


def verdict(figure: str, target: str) -> str:
    """Whether a figure meets its target: "met" or "short"; "-" without a target.

    Raises:
        ValueError: for a target that does not begin with "at least", "at most" or "within", or without a number.
    """
    if target == "-":
        return "-"
    reached, asked = number(figure), number(target)
    if reached is None or asked is None:
        raise ValueError(f"figure {figure!r} and target {target!r}: each needs a number")
    if target.startswith("at least "):
        return "met" if reached >= asked else "short"
    if target.startswith("at most "):
        return "met" if reached <= asked else "short"
    if target.startswith("within "):
        return "met" if abs(reached) <= asked else "short"
    raise ValueError(f"target {target!r}: begin with 'at least', 'at most' or 'within', or write '-'")
