"""Near duplicates among 1,000,000 banked vectors of 384: seconds, memory, recall of planted ones, beside SemHash.

The vectors are those of bench/search.py, at int8; hardly any two are alike by themselves at the threshold. One in a
hundred is planted: an earlier vector turned so far that the cosine lies between the threshold and 0.999. A pair counts
as found where both texts are in one group, or, for SemHash, where one of the two is taken out. Each way runs in a
process of its own, whose largest size is told. SemHash gets the same vectors, decoded, in memory. All pairs are
compared (exact) for a part of the vectors only, because that takes the square of their number. `1 % more` adds so many
texts to a bank that was grouped before.

    python bench/dedup.py [--rows 1000000] [--exact-rows 100000] [--threshold 0.9] [--dry]
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from measuring import WORK, claim, record, timed

import embank
from embank.linalg.cosine import cosines, unit
from search import BLOCK, Size

WIDTH = 384
COLUMN = "made/0/own@int8"
ONE_IN = 100
CLOSEST = 0.999


def planted(rows: int, threshold: float) -> tuple[Any, Any, Any]:
    """Vectors, and of each planted one its number and that of the vector that it was made from."""
    vectors = Size(rows, WIDTH).whole()
    random = np.random.default_rng(2)
    later = np.sort(random.choice(np.arange(rows // 2, rows), rows // ONE_IN, replace=False))
    earlier = random.choice(rows // 2, len(later), replace=False)
    cosine = random.uniform(threshold, CLOSEST, len(later))[:, None]
    first = unit(vectors[earlier])
    other = random.standard_normal(first.shape)
    across = unit((other - (other * first).sum(axis=1)[:, None] * first).astype(np.float32))
    lengths = np.linalg.norm(vectors[earlier], axis=1)[:, None]
    vectors[later] = lengths * (cosine * first + np.sqrt(1 - cosine**2) * across)
    return vectors, earlier, later


def banked(rows: int, threshold: float) -> Any:
    """A bank of them without any groups or graphs."""
    folder = WORK / f"dedup-{rows}"
    vectors, _, _ = planted(rows, threshold)
    shutil.rmtree(folder, ignore_errors=True)
    with embank.Bank.create(folder) as bank:
        for start in range(0, rows, BLOCK):
            part = range(start, min(start + BLOCK, rows))
            bank.put([str(number) for number in part], vectors[start : start + BLOCK], COLUMN)
    return folder


def near(rows: int, threshold: float) -> tuple[Any, Any]:
    """Planted pairs whose stored vectors reach the threshold."""
    _, earlier, later = planted(rows, threshold)
    with embank.Bank.open(WORK / f"dedup-{rows}") as bank:
        left, right = (bank.vectors(COLUMN, [str(number) for number in part]) for part in (earlier, later))
    there = cosines(left, right) >= threshold
    return earlier[there], later[there]


def by_embank(rows: int, threshold: float, way: Any) -> dict[str, Any]:
    """One run, and one more after new texts have come."""
    settings = embank.DedupSettings(threshold, COLUMN, way)
    with embank.Bank.open(WORK / f"dedup-{rows}") as bank:
        with timed() as first:
            found = bank.dedup(settings)
        group: dict[str, int] = {}
        for block in found.blocks():
            hashes = block["id"]
            group.update(zip(hashes, block["group"].tolist(), strict=True))
        peak = _peak()
        called = [embank.text_key(str(number)).hex() for number in range(rows)]
        of = np.array([group.get(name, -1) for name in called])
        earlier, later = near(rows, threshold)
        recall = np.mean((of[earlier] == of[later]) & (of[later] >= 0))
        new = Size(rows // ONE_IN, WIDTH).queries(rows // ONE_IN)
        bank.put([f"new {number}" for number in range(len(new))], new, COLUMN)
        with timed() as second:
            bank.dedup(settings)
    return {
        "seconds": first.seconds, "again": second.seconds, "peak": peak, "recall": float(recall),
        "compared": found.report.compared, "grouped": found.report.texts_in_groups,
    }  # fmt: skip


def by_semhash(rows: int, threshold: float) -> dict[str, Any]:
    """SemHash over the same stored vectors."""
    from semhash import SemHash

    with embank.Bank.open(WORK / f"dedup-{rows}") as bank:
        vectors = bank.vectors(COLUMN)
    records = [str(number) for number in range(rows)]
    with timed() as clock:
        result = SemHash.from_embeddings(vectors, records, model=None).self_deduplicate(threshold)
    peak = _peak()
    out = np.zeros(rows, np.bool_)
    out[[int(record.record) for record in result.filtered]] = True
    earlier, later = near(rows, threshold)
    found = float(np.mean(out[earlier] | out[later]))
    return {"seconds": clock.seconds, "again": None, "peak": peak, "recall": found, "grouped": int(out.sum())}


WAYS: dict[str, tuple[str, Callable[[int, float], dict[str, Any]]]] = {
    "Embank, approximate": ("usearch", lambda rows, threshold: by_embank(rows, threshold, "approximate")),
    "Embank, exact": ("", lambda rows, threshold: by_embank(rows, threshold, "exact")),
    "SemHash": ("semhash", by_semhash),
}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--exact-rows", type=int, default=100_000)
    parser.add_argument("--threshold", type=float, default=0.9)
    parser.add_argument("--child")
    parser.add_argument("--dry", action="store_true", help="print the lines, and do not write them down")
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(WAYS[asked.child][1](asked.rows, asked.threshold)))
        return
    runs = [(way, rows) for rows in sorted({asked.exact_rows, asked.rows}) for way in WAYS]
    lines = [
        f"Threshold {asked.threshold}; one vector in {ONE_IN} is planted.",
        "",
        "| way | vectors | seconds | s after 1 % more | recall of planted | in groups, or taken out | largest MB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    largest: dict[str, Any] = {}
    absent = {needs for needs, _ in WAYS.values() if needs and not find_spec(needs)}
    for way, rows in runs:
        if WAYS[way][0] in absent or (way == "Embank, exact" and rows > asked.exact_rows):
            continue
        banked(rows, asked.threshold)
        words = [sys.executable, __file__, "--rows", str(rows), "--threshold", str(asked.threshold), "--child", way]
        own = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        print(way, rows, own, flush=True)
        largest[way] = own
        again = "" if own["again"] is None else f"{own['again']:,.1f}"
        lines.append(
            f"| {way} | {rows:,} | {own['seconds']:,.1f} | {again} | {own['recall']:.4f} | {own['grouped']:,} "
            f"| {own['peak']:,.0f} |"
        )
    lines += ["", f"Not installed, so not measured: {', '.join(sorted(absent))}."] if absent else []
    if asked.dry:
        print("\n".join(lines))
    else:
        record("Deduplication", lines)
        if asked.rows == 1_000_000:
            own = largest["Embank, approximate"]
            claim("dedup.recall", f"{own['recall']:.4f}")
            claim("dedup.again", f"{own['again']:,.1f} s")
            if "SemHash" in largest:
                claim("dedup.speed", f"{largest['SemHash']['seconds'] / own['seconds']:.2f} times")


if __name__ == "__main__":
    main()
