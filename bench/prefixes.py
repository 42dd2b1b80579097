"""Prefixes: one for each source task on frozen minilm, together and apart, beside a multi-task trunk and raw minilm.

The sources are sets of pairs, similarity and tags, which nothing is tried on; the targets are classification sets, none
of which any of them has seen. All train on the same rows, for at most so many passes, and keep the pass that validates
best; a head on frozen default columns is scored on test rows. Finished parts are kept.

    python bench/prefixes.py [--rows 500] [--epochs 3] [--passes 10] [--seeds 1] [--length 16] [--targets scicite,...]
"""

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from measuring import WORK, kept, record

import embank
from embank.encoders.opening import locate, open_encoder
from embank.encoders.prefixfolder import APART, TOGETHER, TrunkReference, create_prefix_trunk, put_prefix
from embank.evaluation import EvaluationSettings, frozen_score
from embank.trunks import TrunkSettings
from embank.trunks.multitask import train_trunk
from embank.trunks.prefixes import PrefixSettings, train_prefix
from embank.trunks.saving import save_trunk
from trunks import always, classified

TARGETS = ("scicite", "trec", "subj", "sst2", "tweet_emotion", "ag_news", "cola", "clinc150")
WAYS = ("raw", "trunk", APART, TOGETHER)


def opened() -> Any:
    """minilm, for nobody else."""
    return open_encoder(locate("minilm"), "torch", "float32", Path.home() / ".cache" / "embank")


def trunk_of(asked: argparse.Namespace, seed: int) -> Path:
    """A multi-task trunk on all sources."""
    folder = WORK / "prefixes" / f"{asked.rows}-{asked.epochs}" / f"trunk-{seed}"
    if not folder.is_dir():
        encoder = opened()
        loop = embank.TrainingSettings(epochs=asked.epochs, seed=seed)
        settings = TrunkSettings(loop, most=asked.rows, validate=200)
        trained = train_trunk(encoder, always(asked.rows), settings, folder.with_suffix(".training"))
        save_trunk(encoder, trained.report, folder)
        (folder / "seconds").write_text(str(trained.report.seconds))
    return folder


def prefixes_of(asked: argparse.Namespace, seed: int) -> Path:
    """A prefix trunk with one prefix for each source."""
    name = f"prefixes-{asked.passes}-{asked.length}-{asked.from_layer}-{asked.rate}-{seed}"
    folder = WORK / "prefixes" / f"{asked.rows}-{asked.epochs}" / name
    if not folder.is_dir():
        located = locate("minilm")
        reading = located.reading
        begun = folder.with_name(f"{name}.begun")
        shutil.rmtree(begun, ignore_errors=True)
        begun.parent.mkdir(parents=True, exist_ok=True)
        create_prefix_trunk(
            begun, TrunkReference(located.origin, reading.weights, reading.tokenizer, located.layers, located.width)
        )
        loop = embank.TrainingSettings(epochs=asked.passes, rate=asked.rate, seed=seed)
        for source in always(asked.rows):
            settings = PrefixSettings(loop, asked.length, asked.from_layer, most=asked.rows, validate=200)
            found = train_prefix(opened(), source, settings)
            put_prefix(begun, source.name, (found.keys, found.values), found.from_layer, found.record)
            own = found.source
            print(f"{name} {source.name}: {own.measure} {own.score:.3f}, guessing {own.guess:.3f}", flush=True)
        begun.rename(folder)
    return folder


def measured(asked: argparse.Namespace, way: str, name: str, seed: int) -> dict[str, float]:
    """Test score of a head on frozen default columns."""
    place = {
        "raw": lambda: "minilm",
        "trunk": lambda: str(trunk_of(asked, seed)),
        APART: lambda: f"prefixed={prefixes_of(asked, seed)}#{APART}",
        TOGETHER: lambda: f"prefixed={prefixes_of(asked, seed)}#{TOGETHER}",
    }[way]()
    work = WORK / "prefixes" / f"bank-{way}-{name}-{seed}"
    _, score = frozen_score(work, place, classified(name, asked.rows), EvaluationSettings(seed=seed))
    return {"score": score}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--length", type=int, default=16)
    parser.add_argument("--from-layer", type=int, default=0)
    parser.add_argument("--rate", type=float, default=None)
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument("--ways", default=",".join(WAYS))
    asked = parser.parse_args()
    ways, table = asked.ways.split(","), []
    lines = ["| target | " + " | ".join(ways) + " |", "|---|" + "---:|" * len(ways)]
    for name in asked.targets.split(","):
        row = []
        for way in ways:
            own = f"-{asked.passes}-{asked.length}-{asked.from_layer}-{asked.rate}" if way in (APART, TOGETHER) else ""
            scores = [
                kept(
                    f"prefixes/{asked.rows}-{asked.epochs}{own}/{name}-{way}-{seed}",
                    lambda way=way, name=name, seed=seed: measured(asked, way, name, seed),
                )["score"]
                for seed in range(asked.seeds)
            ]
            row.append(100 * float(np.mean(scores)))
        table.append(row)
        lines.append(f"| {name} | " + " | ".join(f"{one:.1f}" for one in row) + " |")
        print(lines[-1], flush=True)
    lines += ["| **mean** | " + " | ".join(f"**{one:.2f}**" for one in np.mean(table, axis=0)) + " |", ""]
    lines.append(
        f"Macro-F1; at most {asked.rows} training rows a source and a target, {asked.epochs} passes of the trunk and "
        f"{asked.passes} of a prefix, {asked.seeds} seeds; prefixes of {asked.length} positions from layer "
        f"{asked.from_layer} on."
    )
    record("Prefixes 1. Tasks that no source has seen", lines)


if __name__ == "__main__":
    main()
