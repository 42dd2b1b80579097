"""Updates: a ninth source is added and one is removed, with prefixes and with a multi-task trunk; encoding included.

A trunk of eight prefixes read apart, and a bank with their default columns. Adding a ninth source trains one prefix and
fills its columns; removing one drops its columns. A multi-task trunk is trained again on nine sources, or on seven, and
everything is encoded again. All train for as many passes over as many rows, without early stopping. After the removal
the files of all other columns and the predictions of a task that does not read the removed ones are compared byte by
byte. Operations are counted from the architecture.

    python bench/updates.py [--rows 500] [--epochs 3] [--texts 2000] [--from-layer 0]
        [--no-reparametrise]
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measuring import WORK, kept, record
from prefixes import opened
from trunks import always, classified

import embank
from embank.encoders.flops import flops, shape_of, training_flops
from embank.encoders.load import locate
from embank.encoders.prefix.folder import APART, EncoderReference, create_prefix_folder, put_prefix
from embank.fit.source_tasks import Source
from embank.multitask import MultitaskSettings
from embank.multitask.folder import save_multitask
from embank.multitask.train import train_shared
from embank.prefix.train import PrefixSettings, train_prefix

NINTH, GONE = "tweet_emotion", "rte"
TEXTS = "snips"
HELD_BACK = 0.2


def digests(bank: Path) -> dict[str, str]:
    """Of every file of a bank's columns."""
    return {
        str(path.relative_to(bank)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((bank / "columns").rglob("*"))
        if path.is_file()
    }


def prefix_into(folder: Path, source: Source, asked: argparse.Namespace) -> float:
    """Train one prefix and put it in its place; the seconds that it took."""
    began = time.perf_counter()
    loop = embank.TrainingSettings(epochs=asked.epochs, patience=asked.epochs)
    settings = PrefixSettings(
        training=loop,
        from_layer=asked.from_layer,
        reparametrise=asked.reparametrise,
        most=asked.rows,
        validate=200,
    )
    found = train_prefix(opened(), source, settings)
    put_prefix(folder, source.name, (found.keys, found.values), found.from_layer, found.record)
    return time.perf_counter() - began


def with_prefixes(asked: argparse.Namespace) -> dict[str, Any]:
    """Seconds of adding and removing, and what the removal left as it was."""
    work = WORK / "updates"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    folder, bank_folder = work / "trunk", work / "bank"
    located = locate("minilm")
    reading = located.reading
    create_prefix_folder(
        folder,
        EncoderReference(
            encoder=located.origin,
            weights=reading.weights,
            tokenizer=reading.tokenizer,
            layers=located.layers,
            width=located.width,
        ),
    )
    for source in always(asked.rows):
        prefix_into(folder, source, asked)
    own = classified(TEXTS, asked.texts)
    texts, labels = own.source.texts, own.source.labels
    encoder = f"prefixed={folder}#{APART}"
    with embank.Bank.create(bank_folder) as bank:
        began = time.perf_counter()
        bank.encode(texts, encoder=encoder)
        eight = time.perf_counter() - began
        names = [column.name for column in bank.summary().columns]
        untouched = tuple(name for name in names if GONE not in name)
        bank.fit("untouched", labels, texts=texts, settings=embank.FitSettings(columns=untouched))
        before = bank.predict(texts, tasks=["untouched"])["untouched"].to_pylist()
    training = prefix_into(folder, classified(NINTH, asked.rows).source, asked)
    with embank.Bank.open(bank_folder) as bank:
        began = time.perf_counter()
        bank.encode(texts, encoder=encoder)
        encoding = time.perf_counter() - began
        added = len(bank.summary().columns) - len(names)
    files = digests(bank_folder)
    command = [
        sys.executable,
        "-m",
        "embank",
        "trunk",
        "prefix",
        "remove",
        str(folder),
        GONE,
        "--bank",
        str(bank_folder),
    ]
    began = time.perf_counter()
    subprocess.run([str(word) for word in command], check=True)
    removing = time.perf_counter() - began
    rest = digests(bank_folder)
    with embank.Bank.open(bank_folder) as bank:
        after = bank.predict(texts, tasks=["untouched"])["untouched"].to_pylist()
    return {
        "training": training,
        "encoding": encoding,
        "removing": removing,
        "eight": eight,
        "columns": added,
        "gone": len(files) - len(rest),
        "changed": sum(files[name] != digest for name, digest in rest.items()),
        "predictions": sum(one != other for one, other in zip(before, after, strict=True)),
    }


def with_trunk(sources: list[Source], asked: argparse.Namespace) -> dict[str, float]:
    """Seconds of training a multi-task trunk anew and encoding everything with it."""
    work = WORK / "updates"
    folder, bank_folder = work / f"multitask-{len(sources)}", work / f"bank-{len(sources)}"
    for place in (folder, bank_folder):
        shutil.rmtree(place, ignore_errors=True)
    began = time.perf_counter()
    encoder = opened()
    loop = embank.TrainingSettings(epochs=asked.epochs, patience=asked.epochs)
    trained = train_shared(encoder, sources, MultitaskSettings(training=loop, most=asked.rows, validate=200))
    save_multitask(encoder, trained.report, folder)
    training = time.perf_counter() - began
    with embank.Bank.create(bank_folder) as bank:
        began = time.perf_counter()
        bank.encode(classified(TEXTS, asked.texts).source.texts, encoder=str(folder))
        return {"training": training, "encoding": time.perf_counter() - began}


def tokens_of(source: Source) -> float:
    """Operations of minilm forwards over all training rows of a source, once."""
    encoder = opened()
    shape = shape_of(encoder.model.config)
    texts = source.texts[: max(1, round(len(source.texts) * (1 - HELD_BACK)))]
    halves = [half for text in texts for half in (text if isinstance(text, tuple) else (text,))]
    plain = [" ".join(half) if isinstance(half, list) else half for half in halves]
    return float(sum(flops(shape, len(ids)) for ids in encoder.tokens(plain).ids))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--from-layer", type=int, default=0)
    parser.add_argument("--reparametrise", action=argparse.BooleanOptionalAction, default=True, help="by an MLP")
    asked = parser.parse_args()
    made = "-mlp" if asked.reparametrise else ""
    part = f"updates/{asked.rows}-{asked.epochs}-{asked.texts}-{asked.from_layer}{made}"
    own = kept(f"{part}/prefixes", lambda: with_prefixes(asked))
    ninth = classified(NINTH, asked.rows).source
    nine = [*always(asked.rows), ninth]
    seven = [source for source in always(asked.rows) if source.name != GONE]
    trunks = {
        len(some): kept(f"{part}/trunk-{len(some)}", lambda some=some: with_trunk(some, asked))
        for some in (nine, seven)
    }
    forwards = {source.name: tokens_of(source) for source in nine}
    texts = tokens_of(classified(TEXTS, asked.texts).source) / (1 - HELD_BACK)
    operations = {
        len(some): asked.epochs * sum(training_flops(forwards[source.name]) for source in some) + texts
        for some in (nine, seven)
    }
    adding = asked.epochs * training_flops(0, forwards[NINTH]) + texts
    seconds = {"add": own["training"] + own["encoding"], "remove": own["removing"]}
    again = {name: trunks[count]["training"] + trunks[count]["encoding"] for name, count in (("add", 9), ("remove", 7))}
    lines = [
        "| update | prefixes, s | of it encoding | trunk, s | of it encoding | times cheaper | prefixes, TFLOP | "
        "trunk, TFLOP | times cheaper |",
        "|---|" + "---:|" * 8,
        f"| add a ninth | {seconds['add']:.1f} | {own['encoding']:.1f} | {again['add']:.1f} | "
        f"{trunks[9]['encoding']:.1f} | **{again['add'] / seconds['add']:.1f}** | {adding / 1e12:.2f} | "
        f"{operations[9] / 1e12:.2f} | **{operations[9] / adding:.1f}** |",
        f"| remove one | {seconds['remove']:.1f} | 0 | {again['remove']:.1f} | {trunks[7]['encoding']:.1f} | "
        f"**{again['remove'] / seconds['remove']:.1f}** | 0 | {operations[7] / 1e12:.2f} | |",
        "",
        f"Target: 8 times. {asked.rows} rows a source, {asked.epochs} passes, {asked.texts:,} banked texts, prefixes "
        f"of 16 positions from layer {asked.from_layer} on{', made by an MLP' if made else ''}. "
        f"The ninth brought {own['columns']} columns; the removal took {own['gone']} files away. Of all other files of "
        f"columns {own['changed']} changed, and "
        f"{own['predictions']} of {asked.texts:,} predictions of a task that reads none of the removed columns.",
    ]
    record("Prefixes 2. Updates", lines)


if __name__ == "__main__":
    main()
