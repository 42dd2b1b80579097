"""Trunks: what multi-task training of minilm does for tasks that were left out, frozen, with the default columns.

Sources are all public sets of classes, pairs, similarity and tags. Every classification set is left out once, three
or four at a time, so that four trunks serve for thirteen tasks: sets that share texts or ask nearly the same (film
reviews; intents) are left out together, and beside them sets that have nothing to do with them. Beside each score stand
that of the raw encoder on the same rows, and that of a trunk whose source heads read signs, on float16 and on binary
columns. Rows are capped, those of sources and those that heads learn from and are scored on, and training reads at
most so many tokens of a text; what is scored is read whole. Trunks are kept in bench/bulk, scores in bench/parts.

    python bench/trunks.py [--rows 1000] [--target-rows 1000] [--epochs 3] [--tokens 64] [--served float32,sign]
        [--seed 0]
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measuring import WORK, data_folder, kept, record

import embank
from embank.encoders.opening import ReadingOptions, locate, open_encoder
from embank.evaluation import EvaluationSettings, Target, leave_out
from embank.tasks import APART, TOGETHER
from embank.trunks import Served, Source, TrunkSettings
from embank.trunks.multitask import train_trunk
from embank.trunks.saving import save_trunk

PAIRS = ("rte", "snli_dev", "qnli_dev")
TAGS = ("bc5cdr", "scierc_ner", "wnut17", "ud_ewt_pos")
CODECS = ("float16", "binary")
GROUPS = (
    ("mr", "sst2", "subj", "trec"),
    ("clinc150", "snips", "tweet_sentiment"),
    ("cola", "scicite", "tweet_emotion"),
    ("agnews", "scierc_rel", "sms_spam"),
)


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


def measured(served: Served, asked: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Transfers to all classification sets, by codec."""
    loop = embank.TrainingSettings(epochs=asked.epochs, rate=asked.rate, seed=asked.seed)
    settings = TrunkSettings(loop, most=asked.rows, validate=200, served=served)
    targets = [classified(name, asked.target_rows) for group in GROUPS for name in group]
    targets += [Target(source, ([], [])) for source in always(asked.target_rows)]

    def make(sources: Any, out: Path) -> None:
        reading = ReadingOptions(max_tokens=asked.tokens)
        encoder = open_encoder(locate("minilm", reading), "torch", "float32", Path.home() / ".cache" / "embank")
        trained = train_trunk(encoder, sources, settings, out.with_suffix(".training"))
        save_trunk(encoder, trained.report, out)
        losses = ", ".join(f"{loss:.3f}" for loss in trained.losses)
        passes = ", ".join(f"{one:.3f}" for one in trained.report.passes)
        print(out.name, f"{trained.report.seconds:.0f} s, losses {losses}, validation {passes}", flush=True)
        for source in trained.report.sources:
            print(f"  {source.name}: {source.measure} {source.score:.3f}, guessing {source.guess:.3f}", flush=True)

    work = WORK / "trunks" / name_of(asked, served, asked.rate)
    asked_of = {codec: EvaluationSettings(codec, seed=asked.seed, seen=False) for codec in CODECS}
    return {codec: [asdict(one) for one in leave_out(targets, GROUPS, make, asked_of[codec], work)] for codec in CODECS}


def name_of(asked: argparse.Namespace, served: str, rate: float | None = None) -> str:
    """Of a study."""
    targets = f"-of-{asked.target_rows}" if asked.target_rows != asked.rows else ""
    rated = f"-{rate:g}" if rate else ""
    seeded = f"-seed{asked.seed}" if asked.seed else ""
    return f"{asked.rows}{targets}-{asked.epochs}-{asked.tokens}{rated}{seeded}/{served}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--target-rows", type=int, default=None, help="of each left-out task; as many by default")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rate", type=float, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--served", default="float32,sign")
    asked = parser.parse_args()
    asked.target_rows = asked.target_rows or asked.rows
    lines = []
    for served in asked.served.split(","):
        found = kept(f"trunks/{name_of(asked, served, asked.rate)}", lambda served=served: measured(served, asked))
        lines += [
            f"Source heads read {served}:",
            "",
            "| left out | raw, float16 | trunk, float16 | gain | raw, binary | trunk, binary |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        table = []
        for wide, narrow in zip(found["float16"], found["binary"], strict=True):
            table.append([100 * one for one in (wide["raw"], wide["without"], narrow["raw"], narrow["without"])])
            raw, trunk, raw_binary, binary = table[-1]
            lines.append(
                f"| {wide['task']} | {raw:.1f} | {trunk:.1f} | {trunk - raw:+.1f} | {raw_binary:.1f} | {binary:.1f} |"
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
        f"Macro-F1 of heads on at most {asked.target_rows} rows, on as many test rows; at most {asked.rows} training "
        f"rows a source, {asked.epochs} passes, {asked.tokens} tokens of a text. Left out together: "
        f"{'; '.join(', '.join(own) for own in GROUPS)}; each trunk learns from all others beside "
        f"{', '.join((*PAIRS, 'stsb', *TAGS))}."
    )
    record("Trunks 1. Tasks that were left out", lines)


if __name__ == "__main__":
    main()
