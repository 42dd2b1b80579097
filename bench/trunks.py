"""Trunks: what multi-task training of minilm does for tasks that were left out, frozen, with the default columns.

Sources are all public sets of classes, pairs, similarity and tags. Every classification set is left out once, three
or four at a time, so that four trunks serve for thirteen tasks: sets that share texts or ask nearly the same (film
reviews; intents) are left out together, and beside them sets that have nothing to do with them. Beside each score stand
that of the raw encoder on the same rows, on float16 and on binary columns. Rows are capped, those of
sources and those that heads learn from and are scored on, and training reads at most so many tokens of a text; what is
scored is read whole. Trunks are kept in bench/bulk, scores in bench/parts.

    python bench/trunks.py [--rows 1000] [--labels 200,600] [--test 600] [--epochs 1] [--tokens 64] [--rate 1.5e-4]
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
from embank.encoders.load import ReadingOptions, locate, open_encoder
from embank.evaluate.transfer import Target, TransferSettings, evaluate_transfer
from embank.fit.source_tasks import Source
from embank.labels.kinds import APART, TOGETHER
from embank.multitask import MultitaskSettings
from embank.multitask.folder import save_multitask
from embank.multitask.train import train_shared

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


def classified(name: str, most: int, test: int | None = None) -> Target:
    """A classification set, with its test rows; of these as many at most as of the others, unless it is said."""
    folder = data_folder() / "classify" / name
    (texts, labels), (others, truth) = (
        rows(folder / f"{part}.parquet", cap, ["text", "label"])
        for part, cap in (("train", most), ("test", test or most))
    )
    return Target(Source(name=name, texts=texts, labels=labels, kind="single"), (others, truth))


def always(most: int) -> list[Source]:
    """Sources that are never left out: pairs, similarity and tags."""
    found = []
    for name in PAIRS:
        one, other, labels = rows(
            data_folder() / "pairs" / name / "train.parquet", most, ["text", "text_pair", "label"]
        )
        found.append(
            Source(name=name, texts=list(zip(one, other, strict=True)), labels=labels, kind="single", reads=APART)
        )
    one, other, scores = rows(data_folder() / "sts" / "stsb" / "train.parquet", most, ["text", "text_pair", "score"])
    found.append(
        Source(name="stsb", texts=list(zip(one, other, strict=True)), labels=scores, kind="regression", reads=APART)
    )
    for name in TAGS:
        words, tags = rows(data_folder() / "tag" / name / "train.parquet", most, ["tokens", "tags"])
        found.append(Source(name=name, texts=words, labels=tags, kind="tagging", reads=TOGETHER))
    return found


def measured(asked: argparse.Namespace, labels: int) -> dict[str, list[dict[str, Any]]]:
    """Transfers to all classification sets, by codec; heads of what is left out learn from so many rows."""
    loop = embank.TrainingSettings(epochs=asked.epochs, rate=asked.rate, seed=asked.seed)
    settings = MultitaskSettings(training=loop, most=asked.rows, validate=200)
    # Validation rows come on top of those that are trained on.
    sources = {name: classified(name, 2 * asked.rows, asked.test) for group in GROUPS for name in group}
    others = [Target(source, ([], [])) for source in always(2 * asked.rows)]
    trunks = WORK / "trunks" / name_of(asked, asked.rate)

    def make(sources: Any, out: Path) -> None:
        """A link to a trunk, which is trained once, however many rows heads learn from."""
        if not (trunks / out.name).is_dir():
            trunks.mkdir(parents=True, exist_ok=True)
            trained(sources, trunks / out.name)
        out.symlink_to(trunks / out.name)

    def trained(sources: Any, out: Path) -> None:
        reading = ReadingOptions(max_tokens=asked.tokens)
        encoder = open_encoder(locate("minilm", reading), "torch", "float32", Path.home() / ".cache" / "embank")
        found = train_shared(encoder, sources, settings, out.with_suffix(".training"))
        save_multitask(encoder, found.report, out)
        losses = ", ".join(f"{loss:.3f}" for loss in found.losses)
        passes = ", ".join(f"{one:.3f}" for one in found.report.passes)
        frozen = np.mean([source.frozen for source in found.report.sources])
        print(
            out.name,
            f"{found.report.seconds:.0f} s, losses {losses}, validation {passes}, of heads alone {frozen:.3f}",
            flush=True,
        )
        for source in found.report.sources:
            print(f"  {source.name}: {source.measure} {source.score:.3f}, frozen {source.frozen:.3f}", flush=True)

    transfers: dict[str, list[dict[str, Any]]] = {codec: [] for codec in CODECS}
    for codec in CODECS:
        asked_of = TransferSettings(codec=codec, seed=asked.seed, seen=False)
        for group in GROUPS:
            own = [classified(name, labels, asked.test) for name in group]
            rest = [target for name, target in sources.items() if name not in group]
            found = evaluate_transfer([*own, *rest, *others], [group], make, asked_of, trunks / f"of-{labels}")
            transfers[codec] += [asdict(one) for one in found]
            print(labels, codec, *(f"{one.task} {one.raw:.3f} {one.without:.3f}" for one in found), flush=True)
    return transfers


def name_of(asked: argparse.Namespace, rate: float | None = None) -> str:
    """Of a study; it says what was tried otherwise before it was fixed."""
    rated = f"-{rate:g}" if rate else ""
    seeded = f"-seed{asked.seed}" if asked.seed else ""
    return f"{asked.rows}-{asked.epochs}-{asked.tokens}{rated}-of4-nodrop{seeded}-first/float32"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000, help="training rows of a source")
    parser.add_argument("--labels", default="200,600", help="rows that heads of left-out tasks learn from")
    parser.add_argument("--test", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1.5e-4)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    lines = []
    for labels in map(int, asked.labels.split(",")):
        found = kept(
            f"trunks/{name_of(asked, asked.rate)}-{labels}-{asked.test}",
            lambda labels=labels: measured(asked, labels),
        )
        lines += table(found, f"Heads of left-out tasks learn from {labels} rows:")
    lines.append(
        f"Macro-F1 on at most {asked.test} test rows; at most {asked.rows} training rows a source, {asked.epochs} "
        f"passes at most, {asked.tokens} tokens of a text, heads of sources learned first, 4 batches "
        f"in a step, no dropout. Left out together: "
        f"{'; '.join(', '.join(own) for own in GROUPS)}; each trunk learns from all others beside "
        f"{', '.join((*PAIRS, 'stsb', *TAGS))}."
    )
    record("Trunks 1. Tasks that were left out", lines)


def table(found: dict[str, list[dict[str, Any]]], title: str) -> list[str]:
    """Raw encoder and trunk, float16 and binary."""
    lines = [
        title,
        "",
        "| left out | raw, float16 | trunk, float16 | gain | raw, binary | trunk, binary |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    every = []
    for wide, narrow in zip(found["float16"], found["binary"], strict=True):
        every.append([100 * one for one in (wide["raw"], wide["without"], narrow["raw"], narrow["without"])])
        raw, trunk, raw_binary, binary = every[-1]
        cells = f"{raw:.1f} | {trunk:.1f} | {trunk - raw:+.1f} | {raw_binary:.1f} | {binary:.1f}"
        lines.append(f"| {wide['task']} | {cells} |")
    raw, trunk, raw_binary, binary = np.mean(every, axis=0)
    gains = [row[1] - row[0] for row in every]
    return [
        *lines,
        f"| **mean** | **{raw:.2f}** | **{trunk:.2f}** | **{trunk - raw:+.2f}** | **{raw_binary:.2f}** | "
        f"**{binary:.2f}** |",
        "",
        f"Gain {trunk - raw:+.2f}, standard error over sets {np.std(gains, ddof=1) / len(gains) ** 0.5:.2f} (target "
        f"+1.5); binary to float16 {binary - trunk:+.2f} with the trunk (target within 0.5), {raw_binary - raw:+.2f} "
        "with the raw encoder.",
        "",
    ]


if __name__ == "__main__":
    main()
