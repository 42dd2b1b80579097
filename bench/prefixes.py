"""Prefixes: one for each source task on frozen minilm, together and apart, beside the multi-task trunk and raw minilm.

The same sources, targets, rows and groups as in bench/trunks.py, which is run first: each classification set is tried
with the prefixes of all sources but those of its group. Each prefix is trained once, since none knows of any other; a
text of any target's test rows is taken out of every source. All keep the pass that validates best; a head on frozen
default columns is scored on test rows. With prefixes apart it reads the columns of every prefix. Finished parts are
kept.

    python bench/prefixes.py [--rows 1000] [--target-rows 1000] [--epochs 1] [--passes 6] [--length 16] [--from-layer 0]
        [--no-reparametrise] [--ways apart,together] [--seeds 0,1,2]
        [--trunk-rows 1000] [--trunk-rate 1.5e-4]
"""

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import parts
from measuring import WORK, kept, record
from trunks import GROUPS, always, classified, name_of

import embank
from embank.encoders.load import ReadingOptions, locate, open_encoder
from embank.encoders.prefix.folder import (
    APART,
    TOGETHER,
    EncoderReference,
    StoredPrefix,
    create_prefix_folder,
    put_prefix,
    read_prefix_folder,
)
from embank.evaluate.transfer import Target, TransferSettings, frozen_score, scored_keys, without_texts
from embank.prefix.train import PrefixSettings, train_prefix


def opened(tokens: int | None = None) -> Any:
    """minilm, for nobody else."""
    reading = ReadingOptions(max_tokens=tokens)
    return open_encoder(locate("minilm", reading), "torch", "float32", Path.home() / ".cache" / "embank")


def new_trunk(folder: Path) -> None:
    """A prefix trunk on minilm, without prefixes."""
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


def design(asked: argparse.Namespace, seed: int) -> str:
    """Of prefixes, for names."""
    rows = f"{asked.rows}-of-{asked.target_rows}" if asked.target_rows != asked.rows else asked.rows
    made = "-mlp" if asked.reparametrise else ""
    return f"{rows}-{asked.tokens}-{asked.passes}-{asked.length}-{asked.from_layer}-{asked.rate}-{seed}{made}"


def one_of(target: Target, scored: set[str], asked: argparse.Namespace, seed: int) -> StoredPrefix:
    """The prefix of a source, which nothing that is scored was in."""
    name = target.source.name
    folder = WORK / "prefixes" / design(asked, seed) / "one" / name
    if not folder.is_dir():
        begun = folder.with_name(f"{name}.begun")
        shutil.rmtree(begun, ignore_errors=True)
        begun.parent.mkdir(parents=True, exist_ok=True)
        new_trunk(begun)
        loop = embank.TrainingSettings(epochs=asked.passes, rate=asked.rate, seed=seed)
        settings = PrefixSettings(
            training=loop,
            length=asked.length,
            from_layer=asked.from_layer,
            reparametrise=asked.reparametrise,
            most=asked.rows,
            validate=200,
        )
        found = train_prefix(opened(asked.tokens), without_texts(target, scored).source, settings)
        put_prefix(begun, name, (found.keys, found.values), found.from_layer, found.record)
        own = found.source
        passes = ", ".join(f"{one:.3f}" for one in found.passes)
        print(
            f"{name}: {own.measure} {own.score:.3f}, guessing {own.guess:.3f}, {found.seconds:.0f} s, passes {passes}",
            flush=True,
        )
        begun.rename(folder)
    return read_prefix_folder(folder).prefixes[0]


def trunk_without(group: tuple[str, ...], asked: argparse.Namespace, seed: int) -> Path:
    """A prefix trunk with the prefixes of all sources that are not of a group."""
    targets = [classified(name, asked.target_rows) for own in GROUPS for name in own]
    targets += [Target(source, ([], [])) for source in always(asked.target_rows)]
    scored = {key for target in targets for key in scored_keys(target)}
    folder = WORK / "prefixes" / design(asked, seed) / ("without-" + "+".join(group))
    if not folder.is_dir():
        begun = folder.with_name(f"{folder.name}.begun")
        shutil.rmtree(begun, ignore_errors=True)
        chosen = [one_of(target, scored, asked, seed) for target in targets if target.source.name not in group]
        new_trunk(begun)
        for prefix in chosen:
            put_prefix(begun, prefix.name, prefix.arrays(), prefix.from_layer, dict(prefix.record))
        begun.rename(folder)
    return folder


def measured(asked: argparse.Namespace, seed: int, way: str, group: tuple[str, ...], name: str) -> dict[str, float]:
    """Test score of a head on frozen default columns."""
    place = f"prefixed={trunk_without(group, asked, seed)}#{way}"
    work = WORK / "prefixes" / f"bank-{design(asked, seed)}-{way}-{name}"
    _, score = frozen_score(work, place, classified(name, asked.target_rows), TransferSettings(seed=seed))
    return {"score": score}


def of_trunks(asked: argparse.Namespace, seed: int) -> dict[str, Any]:
    """What bench/trunks.py found for the same targets, by set; with the first seed where there is no other."""
    same = argparse.Namespace(**{**vars(asked), "seed": seed, "rows": asked.trunk_rows})
    named = name_of(same, asked.trunk_rate)
    key = f"trunks/{named}-{asked.target_rows}-{asked.target_rows}"
    if parts.find(key) is None and seed:
        return of_trunks(asked, 0)
    return {one["task"]: one for one in parts.found(key)["float16"]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--target-rows", type=int, default=None, help="of each left-out task; as many by default")
    parser.add_argument("--epochs", type=int, default=1, help="passes of the multi-task trunk")
    parser.add_argument("--trunk-rows", type=int, default=1000, help="training rows of a source of that trunk")
    parser.add_argument("--trunk-rate", type=float, default=1.5e-4)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--length", type=int, default=16)
    parser.add_argument("--from-layer", type=int, default=0)
    parser.add_argument("--rate", type=float, default=None)
    parser.add_argument("--reparametrise", action=argparse.BooleanOptionalAction, default=True, help="by an MLP")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--ways", default=f"{TOGETHER},{APART}")
    asked = parser.parse_args()
    asked.target_rows = asked.target_rows or asked.rows
    ways, seeds = asked.ways.split(","), [int(seed) for seed in asked.seeds.split(",")]
    found: dict[str, list[list[float]]] = {name: [] for group in GROUPS for name in group}
    for seed in seeds:
        for group in GROUPS:
            for name in group:
                scored = [
                    kept(
                        f"prefixes/{design(asked, seed)}/{name}-{way}",
                        lambda way=way, group=group, name=name, seed=seed: measured(asked, seed, way, group, name),
                    )
                    for way in ways
                ]
                found[name].append([100 * one["score"] for one in scored])
                print(
                    seed,
                    name,
                    *(f"{way} {one:.1f}" for way, one in zip(ways, found[name][-1], strict=True)),
                    flush=True,
                )
    trunks = [of_trunks(asked, seed) for seed in seeds]
    table = np.array(
        [
            [[100 * own[name]["raw"], 100 * own[name]["without"], *row] for own, row in zip(trunks, rows, strict=True)]
            for name, rows in found.items()
        ]
    )  # sets, seeds, ways
    lines = ["| target | raw | multi-task trunk | " + " | ".join(ways) + " |", "|---|" + "---:|" * (len(ways) + 2)]
    for name, row in zip(found, table.mean(1), strict=True):
        lines.append(f"| {name} | " + " | ".join(f"{one:.1f}" for one in row) + " |")
    of_seeds = table.mean(0)
    made = ", made by an MLP in training" if asked.reparametrise else ""
    lines.append("| **mean** | " + " | ".join(f"**{one:.2f}**" for one in of_seeds.mean(0)) + " |")
    for seed, row in zip(seeds, of_seeds, strict=True) if len(seeds) > 1 else ():
        lines.append(f"| mean, seed {seed} | " + " | ".join(f"{one:.2f}" for one in row) + " |")
    lines += [
        "",
        f"Macro-F1; at most {asked.rows} training rows a source and {asked.target_rows} a target, {asked.passes} "
        f"passes of a prefix at most, means of seeds {asked.seeds}; prefixes of {asked.length} positions from layer "
        f"{asked.from_layer} on{made}. The trunk: {asked.epochs} passes at most over at most "
        f"{asked.trunk_rows} rows of a source. Left out together: {'; '.join(', '.join(own) for own in GROUPS)}.",
    ]
    record("Prefixes 1. Tasks that no source has seen", lines)


if __name__ == "__main__":
    main()
