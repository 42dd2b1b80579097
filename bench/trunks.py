"""Trunks: what multi-task training of minilm does for tasks that were left out, frozen, with the default columns.

Sources are all public sets of classes, pairs, similarity and tags; the classification sets are left out, several at a
time, dealt into groups by their place in the alphabet. Beside each score stand that of the raw encoder on the same
rows, and that of a trunk whose source heads read signs, on float16 and on binary columns. Rows are capped. Learning
rate and passes were chosen before, on validation rows of the sources. Trunks and scores are kept in bench/bulk.

    python bench/trunks.py [--rows 1000] [--epochs 3] [--groups 4] [--served float32,sign]
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measuring import WORK, data_folder, record

import embank
from embank.encoders.opening import locate, open_encoder
from embank.evaluation import EvaluationSettings, Target, Transfer, leave_out
from embank.tasks import APART, TOGETHER
from embank.trunks import Served, Source, TrunkSettings
from embank.trunks.multitask import train_trunk
from embank.trunks.saving import save_trunk

PAIRS = ("rte", "snli_dev", "qnli_dev")
TAGS = ("bc5cdr", "scierc_ner", "wnut17", "ud_ewt_pos")
CODECS = ("float16", "binary")


def rows(path: Path, most: int, columns: list[str]) -> list[list[Any]]:
    """Columns of a file, at most so many rows, chosen at random."""
    table = pq.read_table(path, columns=columns)
    chosen = np.random.default_rng(0).permutation(table.num_rows)[:most]
    return [table[name].take(chosen).to_pylist() for name in columns]


def classified(name: str, most: int) -> Target:
    """A classification set, with its test rows."""
    folder = data_folder() / "classify" / name
    (texts, labels), (others, truth) = (
        rows(folder / f"{part}.parquet", most, ["text", "label"]) for part in ("train", "test")
    )
    return Target(Source(name, texts, labels, "single"), (others, truth))


def always(most: int) -> list[Source]:
    """Sources that are never left out: pairs, similarity and tags."""
    found = []
    for name in PAIRS:
        one, other, labels = rows(
            data_folder() / "pairs" / name / "train.parquet", most, ["text", "text_pair", "label"]
        )
        found.append(Source(name, list(zip(one, other, strict=True)), labels, "single", reads=APART))
    one, other, scores = rows(data_folder() / "sts" / "stsb" / "train.parquet", most, ["text", "text_pair", "score"])
    found.append(Source("stsb", list(zip(one, other, strict=True)), scores, "regression", reads=APART))
    for name in TAGS:
        words, tags = rows(data_folder() / "tag" / name / "train.parquet", most, ["tokens", "tags"])
        found.append(Source(name, words, tags, "tagging", reads=TOGETHER))
    return found


def measured(served: Served, asked: argparse.Namespace) -> dict[str, list[Transfer]]:
    """Transfers to all classification sets, by codec."""
    names = sorted(path.name for path in (data_folder() / "classify").iterdir() if path.is_dir())
    groups = [names[start :: asked.groups] for start in range(asked.groups)]
    loop = embank.TrainingSettings(epochs=asked.epochs)
    settings = TrunkSettings(loop, most=asked.rows, validate=200, served=served)
    targets = [classified(name, asked.rows) for name in names]
    extra = always(asked.rows)

    def make(sources: Any, out: Path) -> None:
        encoder = open_encoder(locate("minilm"), "torch", "float32", Path.home() / ".cache" / "embank")
        trained = train_trunk(encoder, [*sources, *extra], settings, out.with_suffix(".training"))
        save_trunk(encoder, trained.report, out)
        losses = ", ".join(f"{loss:.3f}" for loss in trained.losses)
        print(out.name, f"{trained.report.seconds:.0f} s, losses {losses}", flush=True)

    work = WORK / "trunks" / f"{asked.rows}-{asked.epochs}-{asked.groups}" / served
    return {codec: leave_out(targets, groups, make, EvaluationSettings(codec, seen=False), work) for codec in CODECS}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--groups", type=int, default=4)
    parser.add_argument("--served", default="float32,sign")
    asked = parser.parse_args()
    lines = []
    for served in asked.served.split(","):
        found = measured(served, asked)
        lines += [
            f"Source heads read {served}:",
            "",
            "| left out | raw, float16 | trunk, float16 | gain | raw, binary | trunk, binary |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        table = []
        for wide, narrow in zip(found["float16"], found["binary"], strict=True):
            table.append([100 * one for one in (wide.raw, wide.without, narrow.raw, narrow.without)])
            raw, trunk, raw_binary, binary = table[-1]
            lines.append(
                f"| {wide.task} | {raw:.1f} | {trunk:.1f} | {trunk - raw:+.1f} | {raw_binary:.1f} | {binary:.1f} |"
            )
        raw, trunk, raw_binary, binary = np.mean(table, axis=0)
        lines += [
            f"| **mean** | **{raw:.2f}** | **{trunk:.2f}** | **{trunk - raw:+.2f}** | **{raw_binary:.2f}** | "
            f"**{binary:.2f}** |",
            "",
            f"Gain {trunk - raw:+.2f} (target +1.5); binary to float16 {binary - trunk:+.2f} with the trunk (target "
            f"within 0.5), {raw_binary - raw:+.2f} with the raw encoder.",
            "",
        ]
    lines.append(
        f"Macro-F1 on at most {asked.rows} test rows; at most {asked.rows} training rows a source, {asked.epochs} "
        f"passes, {asked.groups} groups, so as many trunks; each set that is not in the group is in its trunk, "
        f"beside {', '.join((*PAIRS, 'stsb', *TAGS))}."
    )
    record("Trunks 1. Tasks that were left out", lines)


if __name__ == "__main__":
    main()
