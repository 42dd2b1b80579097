"""Search over 1,000,000 vectors of 384: seconds, memory and recall@10 of exact and approximate ways, beside peers.

The vectors are made here: 20,000 centres in 64 strong directions, noise in all 384. Everybody has the same ones, each
in its own precision, and answers the same queries in turn, round after round; medians are reported. Embank reads its
rows from the bank's files, the others hold theirs in memory. recall@10 is the share of the true ten, by cosines of
float32. What a process adds to its own memory when it opens the rows and searches once is measured in a process for
each. Exact peers: faiss's flat indexes (float16 and int8 scalar quantisers; signs by Hamming distance) and usearch's
exact search over arrays of the same kinds. Approximate: Embank's graph, and usearch's at its defaults.

    python bench/search.py [--rows 1000000] [--width 384] [--rounds 5] [--batch 64] [--ways "float32,int8"]
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from measuring import WORK, claim, record, timed

import embank
from embank.codecs.int8 import Int8
from embank.index import kernels as products
from embank.linalg.cosine import unit
from embank.search.column import SearchedColumn
from embank.search.graph_cache import current_graph
from embank.search.rescoring import search_column, search_index
from embank.store.folder import Store

K = 10
BLOCK = 50_000
CODECS = ("float32", "float16", "int8", "binary")
PEERS = {"faiss": "faiss-cpu", "usearch": "usearch"}

Search = Callable[[Any], Any]
"""Queries to `[queries, K]` numbers of rows."""


@dataclass(frozen=True)
class Size:
    """What is searched."""

    rows: int
    width: int

    @property
    def bank(self) -> Path:
        """Where Embank keeps it."""
        return WORK / f"search-{self.rows}-{self.width}"

    def vectors(self, seed: int = 0) -> Iterator[Any]:
        """Blocks of vectors; another seed gives others around the same centres."""
        fixed = np.random.default_rng(0)
        directions = fixed.standard_normal((64, self.width)).astype(np.float32) / 8
        centres = fixed.standard_normal((20_000, 64)).astype(np.float32) @ directions
        random = np.random.default_rng(seed + 1)
        for start in range(0, self.rows, BLOCK):
            n = min(BLOCK, self.rows - start)
            own = centres[random.integers(0, len(centres), n)]
            inner = 0.6 * random.standard_normal((n, 64), np.float32) @ directions
            yield own + inner + 0.25 * random.standard_normal((n, self.width), np.float32)

    def queries(self, number: int) -> Any:
        """Vectors that are not among them."""
        return next(Size(number, self.width).vectors(1))

    def whole(self) -> Any:
        """All vectors, in one array."""
        return np.concatenate(list(self.vectors()))


def banked(size: Size) -> None:
    """Put the vectors into a bank at every precision, once."""
    if (size.bank / "done").is_file():
        return
    shutil.rmtree(size.bank, ignore_errors=True)
    with embank.Bank.create(size.bank) as bank:
        for at, block in enumerate(size.vectors()):
            texts = [str(number) for number in range(at * BLOCK, at * BLOCK + len(block))]
            for codec in CODECS:
                bank.put(texts, block, f"made/0/own@{codec}")
    (size.bank / "done").write_text("")


def embank_exact(size: Size, codec: str, finer: str | None = None) -> Search:
    """Embank's exact search of a column."""
    store = Store(size.bank)
    first = store.column(f"made/0/own@{codec}").name
    columns = [SearchedColumn(store, name) for name in (first, f"made/0/own@{finer}" if finer else None) if name]
    for column in columns:
        list(column.blocks())  # maps the files, and measures lengths where nobody has yet
    firsts = int(columns[0].reader.covered()[0])

    def search(queries: Any) -> Any:
        found = search_column(columns[0], queries, K, columns[1] if finer else None)
        return found.texts.reshape(len(queries), K) - firsts

    return search


def without_kernels(size: Size, codec: str) -> Search:
    """Embank's exact search as it is where numkong is not installed."""
    search = embank_exact(size, codec)

    def plain(queries: Any) -> Any:
        known, products.is_installed = products.is_installed, lambda _: False
        try:
            return search(queries)
        finally:
            products.is_installed = known

    return plain


def embank_graph(size: Size) -> Search:
    """Embank's approximate search."""
    store = Store(size.bank)
    column = SearchedColumn(store, "made/0/own@int8")
    graph = current_graph(store, column)[0]
    firsts = int(column.reader.covered()[0])
    return lambda queries: search_index(column, graph, queries, K).texts.reshape(len(queries), K) - firsts


def faiss_scalar(size: Size, kind: str) -> Search:
    """A flat index of faiss with a scalar quantiser, over vectors of length one."""
    import faiss

    index = faiss.IndexScalarQuantizer(size.width, getattr(faiss.ScalarQuantizer, kind), faiss.METRIC_INNER_PRODUCT)
    for at, block in enumerate(size.vectors()):
        scaled = unit(block)
        if at == 0:
            index.train(scaled)
        index.add(scaled)
    return lambda queries: index.search(unit(queries), K)[1]


def faiss_signs(size: Size) -> Search:
    """Faiss's flat index of bits."""
    import faiss

    index = faiss.IndexBinaryFlat(size.width)
    for block in size.vectors():
        index.add(np.packbits(block > 0, axis=1))
    return lambda queries: index.search(np.packbits(queries > 0, axis=1), K)[1]


def usearch_exact(size: Size, kind: str) -> Search:
    """Usearch's exact search over an array."""
    from usearch.index import search

    def packed(block: Any) -> Any:
        if kind == "signs":
            return np.packbits(block > 0, axis=1)
        scaled = unit(block)
        return scaled.astype(np.float16) if kind == "float16" else codec.encode(scaled)

    codec = Int8.calibrate(unit(next(size.vectors())))
    spread = np.full_like(codec.scale, np.abs(codec.offset).max() / 127 + codec.scale.max())
    codec = Int8(spread, np.zeros_like(codec.offset))  # one step for all dimensions: usearch knows no others
    rows = np.concatenate([packed(block) for block in size.vectors()])
    metric = "hamming" if kind == "signs" else "cos"
    return lambda queries: np.atleast_2d(search(rows, packed(queries), K, metric=metric, exact=True).keys)


def usearch_graph(size: Size) -> Search:
    """Usearch's graph at its defaults, at int8."""
    from usearch.index import Index

    index = Index(ndim=size.width, metric="cos", dtype="i8")
    for at, block in enumerate(size.vectors()):
        index.add(np.arange(at * BLOCK, at * BLOCK + len(block)), unit(block))
    return lambda queries: np.atleast_2d(index.search(unit(queries), K).keys)


WAYS: dict[str, tuple[str, Callable[[Size], Search]]] = {
    "float32, Embank": ("", lambda size: embank_exact(size, "float32")),
    "float16, Embank": ("", lambda size: embank_exact(size, "float16")),
    "float16, faiss flat": ("faiss", lambda size: faiss_scalar(size, "QT_fp16")),
    "float16, usearch exact": ("usearch", lambda size: usearch_exact(size, "float16")),
    "int8, Embank": ("", lambda size: embank_exact(size, "int8")),
    "int8, Embank, numpy alone": ("", lambda size: without_kernels(size, "int8")),
    "int8, faiss flat": ("faiss", lambda size: faiss_scalar(size, "QT_8bit")),
    "int8, usearch exact": ("usearch", lambda size: usearch_exact(size, "int8")),
    "1 bit, Embank binary": ("", lambda size: embank_exact(size, "binary")),
    "1 bit, Embank binary, numpy alone": ("", lambda size: without_kernels(size, "binary")),
    "1 bit, Embank binary, then int8": ("", lambda size: embank_exact(size, "binary", "int8")),
    "1 bit, signs, faiss flat": ("faiss", faiss_signs),
    "1 bit, signs, usearch exact": ("usearch", lambda size: usearch_exact(size, "signs")),
    "graph, Embank": ("usearch", embank_graph),
    "graph, usearch at int8": ("usearch", usearch_graph),
}
"""The module that each needs beside Embank, and how it is made."""


def child(size: Size, way: str) -> None:
    """Open one way, search once, and say how much the process grew by what it holds and may not give back."""
    search = WAYS[way][1]
    import embank.index.flat  # noqa: F401 - imports are no part of what is measured

    if WAYS[way][0]:
        __import__(WAYS[way][0])
    own = psutil.Process()
    before = own.memory_full_info().uss
    with timed() as clock:
        found = search(size)
    found(size.queries(1))
    print(json.dumps({"held": own.memory_full_info().uss - before, "seconds": clock.seconds}))


def held(size: Size, way: str) -> dict[str, float]:
    """What a process of its own says."""
    words = [sys.executable, __file__, "--rows", str(size.rows), "--width", str(size.width), "--child", way]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(size: Size, rounds: int, batch: int, begins: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Seconds of one query and of a batch, in turn; recall; memory."""
    queries = size.queries(max(batch, rounds))
    ways = [way for way, (needs, _) in WAYS.items() if way.startswith(begins) and (not needs or find_spec(needs))]
    searches = {way: WAYS[way][1](size) for way in ways}
    truth = searches["float32, Embank"](queries[:batch])
    times: dict[str, dict[str, list[float]]] = {way: {"one": [], "batch": []} for way in ways}
    found: dict[str, dict[str, Any]] = {way: {} for way in ways}
    for turn in range(rounds + 1):
        for way in ways:
            with timed() as one:
                searches[way](queries[turn % len(queries)][None])
            with timed() as many:
                answer = searches[way](queries[:batch])
            if turn:  # the first round warms caches up
                times[way]["one"].append(one.seconds)
                times[way]["batch"].append(many.seconds / batch)
            found[way]["recall"] = np.mean([len(set(a) & set(b)) / K for a, b in zip(answer, truth, strict=True)])
    for way in ways:
        found[way] |= {name: float(np.median(seconds)) for name, seconds in times[way].items()}
    del searches
    for way in ways:
        found[way] |= held(size, way)
        print(way, found[way], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--ways", default="float,int8,1 bit,graph", help="how names of those begin that are measured")
    parser.add_argument("--child")
    parser.add_argument("--dry", action="store_true", help="print the lines, and do not write them down")
    asked = parser.parse_args()
    size = Size(asked.rows, asked.width)
    if asked.child:
        child(size, asked.child)
        return
    banked(size)
    found = measured(size, asked.rounds, asked.batch, ("float32, Embank", *asked.ways.split(",")))
    lines = [
        f"{size.rows:,} vectors of {size.width}; milliseconds a query, alone and of {asked.batch} at once, medians of "
        f"{asked.rounds} rounds in turn.",
        "",
        "| way | alone | in a batch | recall@10 | MB in memory of its own | s to open |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for way, own in found.items():
        lines.append(
            f"| {way} | {1e3 * own['one']:.2f} | {1e3 * own['batch']:.2f} | {own['recall']:.3f} "
            f"| {own['held'] / 1e6:,.0f} | {own['seconds']:.1f} |"
        )
    on_disk = {codec: sum(file.stat().st_size for file in _rows(size, codec)) / 1e6 for codec in CODECS}
    lines += ["", "Rows on disk, MB: " + ", ".join(f"{codec} {weight:,.0f}" for codec, weight in on_disk.items()) + "."]
    absent = [name for module, name in PEERS.items() if not find_spec(module)]
    lines += [f"Not installed, so not measured: {', '.join(absent)}."] if absent else []
    if asked.dry:
        print("\n".join(lines))
    else:
        record("Search", lines)
        if (size.rows, size.width) == (1_000_000, 384):
            claimed(found)


def claimed(found: dict[str, dict[str, Any]]) -> None:
    """Put in what is claimed of 1,000,000 vectors of 384."""

    def faster(own: str, others: tuple[str, ...], field: str) -> str:
        return f"{min(found[way][field] for way in others) / found[own][field]:.2f} times"

    peers = tuple(way for way in ("int8, faiss flat", "int8, usearch exact") if way in found)
    if "int8, Embank" in found and peers:
        claim("search.int8.alone", faster("int8, Embank", peers, "one"))
        claim("search.int8.batch", faster("int8, Embank", peers, "batch"))
        claim("search.int8.time", f"{1e3 * found['int8, Embank']['one']:.1f} ms")
    if "1 bit, Embank binary" in found:
        claim("search.binary.recall", f"{found['1 bit, Embank binary']['recall']:.3f}")
        claim("search.binary_int8.recall", f"{found['1 bit, Embank binary, then int8']['recall']:.3f}")
        if "1 bit, signs, faiss flat" in found:
            claim("search.binary.alone", faster("1 bit, Embank binary", ("1 bit, signs, faiss flat",), "one"))
            claim("search.binary.batch", faster("1 bit, Embank binary", ("1 bit, signs, faiss flat",), "batch"))
            claim("search.faiss.recall", f"{found['1 bit, signs, faiss flat']['recall']:.3f}")
    if "graph, Embank" in found:
        claim("search.graph.recall", f"{found['graph, Embank']['recall']:.3f}")
        claim("search.graph.time", f"{1e3 * found['graph, Embank']['one']:.2f} ms")


def _rows(size: Size, codec: str) -> list[Path]:
    with Store(size.bank) as store:
        column = store.column(f"made/0/own@{codec}")
        parts = [part.file for segment in store.catalogue.segments(column.number) for part in segment.parts]
    return [size.bank / part for part in parts]


if __name__ == "__main__":
    main()
