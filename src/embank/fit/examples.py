"""Examples of a task: each text once, part of them held back, kept in the bank so that the task can be fitted again."""

import io
import json
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from embank.errors import DamageError, HeadError
from embank.fit import Examples
from embank.labels.answers import Answer
from embank.labels.kinds import POOLED
from embank.labels.read import Labels
from embank.store import StoredTask
from embank.store.folder import Store

EXAMPLES = "examples.parquet"
"""The file in a task's folder."""

HELD_BACK = 0.2
"""The share of examples that is kept from training."""

_FEWEST = 8
"""Fewer examples than this cannot be split and learned from."""

_STRATA = 10
"""Numbers are split within as many slices of their range."""


def collect(
    texts: Sequence[int], seconds: Sequence[int] | None, labels: Labels, seed: int
) -> tuple[Examples, dict[str, int]]:
    """Make examples of labelled rows.

    A text of several rows counts once; of labels that disagree, the last one counts.

    Args:
        texts: numbers of the texts, -1 for rows whose text is not in the bank.
        seconds: numbers of the second texts, or None.
        labels: one per row.
        seed: of the split.

    Returns:
        The examples, and how many rows were left out, by reason.

    Raises:
        HeadError: too few rows are left, or all have the same label.
    """
    skipped = {"no label": labels.missing, "text not in the bank": 0, "repeated": 0, "relabelled": 0}
    found: dict[tuple[int, int], Any] = {}
    second_texts = seconds if seconds is not None else [0] * len(texts)
    for first, second, value in zip(texts, second_texts, labels.values, strict=True):
        if value is None:
            continue
        if min(first, second) < 0:
            skipped["text not in the bank"] += 1
            continue
        before = found.get((first, second))
        if before is not None:
            skipped["repeated" if before == value else "relabelled"] += 1
        found[first, second] = value
    if len(found) < _FEWEST:
        left = ", ".join(f"{count} {reason}" for reason, count in skipped.items() if count) or "none were left out"
        raise HeadError(f"{len(found)} labelled texts are too few to fit a task, {_FEWEST} are the least ({left})")
    values = list(found.values())
    if len(set(values)) == 1 and labels.kind in POOLED:
        raise HeadError(f"all {len(values)} texts have the same label, {values[0]!r}: there is nothing to learn")
    if labels.kind == "single" and len(set(values)) == len(values):
        raise HeadError(
            f"all {len(values)} labels are different, as in {values[0]!r}: is it the right column? "
            "(for numbers, give --kind regression)"
        )
    firsts = np.array([first for first, _ in found], np.int64)
    numbered = None if seconds is None else np.array([second for _, second in found], np.int64)
    held_back = _split(firsts, values, labels.kind, seed)
    return Examples(firsts, numbered, values, held_back), {reason: count for reason, count in skipped.items() if count}


def pack(examples: Examples) -> bytes:
    """Examples as a Parquet file."""
    columns = {
        "text": pa.array(examples.texts),
        "second": pa.array(examples.seconds)
        if examples.seconds is not None
        else pa.nulls(len(examples.texts), pa.int64()),
        "label": pa.array([json.dumps(value, ensure_ascii=False, default=_plain) for value in examples.values]),
        "held_back": pa.array([bool(held) for held in examples.held_back]),
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    return sink.getvalue()


def unpack(content: bytes) -> Examples:
    """Examples from their Parquet file.

    Raises:
        DamageError: it cannot be read.
    """
    try:
        table = pq.read_table(io.BytesIO(content)).to_pydict()
        values = [json.loads(label) for label in table["label"]]
    except (pa.ArrowException, ValueError, KeyError) as fault:
        raise DamageError(f"the examples of a task cannot be read ({fault}): run 'embank verify'") from fault
    seconds = None if not table["second"] or table["second"][0] is None else np.array(table["second"], np.int64)
    restored = [tuple(value) if isinstance(value, list) else value for value in values]
    return Examples(np.array(table["text"], np.int64), seconds, restored, table["held_back"])


def kept_examples(store: Store, task: StoredTask) -> Examples:
    """The examples of a stored task, with their split."""
    return unpack((store.root / task.folder / EXAMPLES).read_bytes())


def _plain(value: Answer) -> list[tuple[str, ...] | tuple[int, ...]]:
    """An answer as JSON has it: its texts, and where they start."""
    return [value.texts, value.starts]


def _split(texts: np.ndarray, values: Sequence[Any], kind: str, seed: int) -> list[bool]:
    """Hold back a fifth of each class; all pairs that share their first text stay together."""
    strata: Sequence[Hashable]
    if kind == "regression":
        numbers = np.array(values, np.float64)
        edges = np.quantile(numbers, np.linspace(0, 1, _STRATA + 1)[1:-1])
        strata = np.searchsorted(edges, numbers).tolist()
    elif kind in ("tagging", "span"):
        strata = [0] * len(values)  # no two texts have the same tags: all are of one stratum
    else:
        strata = list(values)
    random = np.random.default_rng(seed)
    held: set[int] = set()
    seen: set[int] = set()
    by_stratum: dict[Hashable, list[int]] = {}
    for text, stratum in zip(texts.tolist(), strata, strict=True):
        if text not in seen:
            seen.add(text)
            by_stratum.setdefault(stratum, []).append(text)
    carried = 0.0
    for group in by_stratum.values():
        # What rounding loses in one class is carried to the next, so that many small classes still give a fifth.
        carried += len(group) * HELD_BACK
        take = min(int(carried), len(group) - 1)
        carried -= take
        held.update(group[at] for at in random.permutation(len(group))[:take])
    if not held:  # every class has one text
        held.add(int(texts[random.integers(len(texts))]))
    return [text in held for text in texts.tolist()]
