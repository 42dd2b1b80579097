"""Prefixes: one for each source task on frozen minilm, together and apart, beside the multi-task trunk and raw minilm.

The same sources, targets, rows and groups as in bench/trunks.py, which is run first: each classification set is tried
with the prefixes of all sources but those of its group. Each prefix is trained once, since none knows of any other; a
text of any target's test rows is taken out of every source. All keep the pass that validates best; a head on frozen
default columns is scored on test rows. With prefixes apart it reads the columns of every prefix. Finished parts are
kept.

    python bench/prefixes.py [--rows 1000] [--target-rows 1000] [--epochs 3] [--passes 6] [--length 16] [--from-layer 0]
        [--ways apart,together]
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from measuring import PARTS, WORK, kept, record

import embank
from embank.encoders.opening import ReadingOptions, locate, open_encoder
from embank.encoders.prefixfolder import (
    APART,
    TOGETHER,
    StoredPrefix,
    TrunkReference,
    create_prefix_trunk,
    put_prefix,
    read_prefix_trunk,
)
from embank.evaluation import EvaluationSettings, Target, frozen_score, scored_keys, without_texts
from embank.trunks.prefixes import PrefixSettings, train_prefix
from trunks import GROUPS, always, classified, name_of


def opened(tokens: int | None = None) -> Any:
    """minilm, for nobody else."""
    reading = ReadingOptions(max_tokens=tokens)
    return open_encoder(locate("minilm", reading), "torch", "float32", Path.home() / ".cache" / "embank")


def new_trunk(folder: Path) -> None:
    """A prefix trunk on minilm, without prefixes."""
    located = locate("minilm")
    reading = located.reading
    create_prefix_trunk(
        folder, TrunkReference(located.origin, reading.weights, reading.tokenizer, located.layers, located.width)
    )


def design(asked: argparse.Namespace) -> str:
    """Of prefixes, for names."""
    rows = f"{asked.rows}-of-{asked.target_rows}" if asked.target_rows != asked.rows else asked.rows
    return f"{rows}-{asked.tokens}-{asked.passes}-{asked.length}-{asked.from_layer}-{asked.rate}-{asked.seed}"


def one_of(target: Target, scored: set[str], asked: argparse.Namespace) -> StoredPrefix:
    """The prefix of a source, which nothing that is scored was in."""
    name = target.source.name
    folder = WORK / "prefixes" / design(asked) / "one" / name
    if not folder.is_dir():
        begun = folder.with_name(f"{name}.begun")
        shutil.rmtree(begun, ignore_errors=True)
        begun.parent.mkdir(parents=True, exist_ok=True)
        new_trunk(begun)
        loop = embank.TrainingSettings(epochs=asked.passes, rate=asked.rate, seed=asked.seed)
        settings = PrefixSettings(loop, asked.length, asked.from_layer, most=asked.rows, validate=200)
        found = train_prefix(opened(asked.tokens), without_texts(target, scored).source, settings)
        put_prefix(begun, name, (found.keys, found.values), found.from_layer, found.record)
        own = found.source
        passes = ", ".join(f"{one:.3f}" for one in found.passes)
        print(
            f"{name}: {own.measure} {own.score:.3f}, guessing {own.guess:.3f}, {found.seconds:.0f} s, passes {passes}",
            flush=True,
        )
        begun.rename(folder)
    return read_prefix_trunk(folder).prefixes[0]


def trunk_without(group: tuple[str, ...], asked: argparse.Namespace) -> Path:
    """A prefix trunk with the prefixes of all sources that are not of a group."""
    targets = [classified(name, asked.target_rows) for own in GROUPS for name in own]
    targets += [Target(source, ([], [])) for source in always(asked.target_rows)]
    scored = {key for target in targets for key in scored_keys(target)}
    folder = WORK / "prefixes" / design(asked) / ("without-" + "+".join(group))
    if not folder.is_dir():
        begun = folder.with_name(f"{folder.name}.begun")
        shutil.rmtree(begun, ignore_errors=True)
        chosen = [one_of(target, scored, asked) for target in targets if target.source.name not in group]
        new_trunk(begun)
        for prefix in chosen:
            put_prefix(begun, prefix.name, prefix.arrays(), prefix.from_layer, dict(prefix.record))
        begun.rename(folder)
    return folder


def measured(asked: argparse.Namespace, way: str, group: tuple[str, ...], name: str) -> dict[str, float]:
    """Test score of a head on frozen default columns."""
    place = f"prefixed={trunk_without(group, asked)}#{way}"
    work = WORK / "prefixes" / f"bank-{way}-{name}"
    _, score = frozen_score(work, place, classified(name, asked.target_rows), EvaluationSettings(seed=asked.seed))
    return {"score": score}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--target-rows", type=int, default=None, help="of each left-out task; as many by default")
    parser.add_argument("--epochs", type=int, default=3, help="passes of the multi-task trunk")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--length", type=int, default=16)
    parser.add_argument("--from-layer", type=int, default=0)
    parser.add_argument("--rate", type=float, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", default=f"{TOGETHER},{APART}")
    asked = parser.parse_args()
    asked.target_rows = asked.target_rows or asked.rows
    part = PARTS / "trunks" / f"{name_of(asked, 'float32')}.json"
    trunks = {one["task"]: one for one in json.loads(part.read_text())["found"]["float16"]}
    ways, table = asked.ways.split(","), []
    lines = ["| target | raw | multi-task trunk | " + " | ".join(ways) + " |", "|---|" + "---:|" * (len(ways) + 2)]
    for group in GROUPS:
        for name in group:
            row = [100 * trunks[name]["raw"], 100 * trunks[name]["without"]]
            for way in ways:
                found = kept(
                    f"prefixes/{design(asked)}/{name}-{way}",
                    lambda way=way, group=group, name=name: measured(asked, way, group, name),
                )
                row.append(100 * found["score"])
            table.append(row)
            lines.append(f"| {name} | " + " | ".join(f"{one:.1f}" for one in row) + " |")
            print(lines[-1], flush=True)
    lines += ["| **mean** | " + " | ".join(f"**{one:.2f}**" for one in np.mean(table, axis=0)) + " |", ""]
    lines.append(
        f"Macro-F1; at most {asked.rows} training rows a source and {asked.target_rows} a target, {asked.epochs} "
        f"passes of the trunk and {asked.passes} of a prefix at most, seed {asked.seed}; prefixes of {asked.length} "
        f"positions from layer {asked.from_layer} on. Left out together: {'; '.join(', '.join(own) for own in GROUPS)}."
    )
    record("Prefixes 1. Tasks that no source has seen", lines)


if __name__ == "__main__":
    main()
