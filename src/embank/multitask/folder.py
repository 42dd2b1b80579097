"""A trunk as a folder that transformers and sentence-transformers load, with a model card."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from embank.atomic import sync_folder
from embank.encoders import EncoderFacts
from embank.encoders.folder import EncoderFolder
from embank.encoders.torch import quietly
from embank.errors import UsageError
from embank.multitask import SourceScore, TrunkReport

REPORT = "embank_trunk.json"
"""What training found, beside the weights."""

CARD = "README.md"

_WEIGHTS = (".safetensors", ".bin", ".h5", ".msgpack", ".onnx", ".ot", ".pt", ".pth", ".gguf")
_LEFT_OUT = {CARD, REPORT, ".gitattributes", "model.safetensors.index.json", "pytorch_model.bin.index.json"}
_POOLINGS = {"mean": "mean_tokens", "first": "cls_token", "max": "max_tokens", "last": "lasttoken"}


def save_trunk(encoder: Any, report: TrunkReport, out: Path) -> None:
    """Write a trained encoder, whole or not at all.

    The tokenizer and, of a sentence-transformers folder, its pooling are those of the encoder that the trunk began as.

    Args:
        encoder: the `TransformerEncoder` that was trained.
        report: goes into the model card and, as JSON, beside it.
        out: a folder that is not there yet.

    Raises:
        UsageError: the folder is there.
    """
    folder: EncoderFolder = encoder.folder
    with new_folder(out) as begun:
        copy_small(folder.path, begun)
        transformer = begun / folder.transformer.relative_to(folder.path)
        with quietly():
            encoder.model.save_pretrained(transformer)
        if not (begun / "modules.json").is_file():
            prescribe(begun, folder, encoder.pooling)
        (begun / REPORT).write_text(json.dumps(asdict(report), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        (begun / CARD).write_text(card(report, encoder.facts), encoding="utf-8")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write into that takes the place of `out` when all is written and synced, and not before.

    Raises:
        UsageError: the folder is there.
    """
    refuse_existing(out)
    begun = out.with_name(f"{out.name}.part")
    shutil.rmtree(begun, ignore_errors=True)
    yield begun
    for path in (*begun.rglob("*"), begun):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    begun.rename(out)
    sync_folder(out.parent)


def refuse_existing(out: Path) -> None:
    """Never write over a folder.

    Raises:
        UsageError: there is something.
    """
    if out.exists():
        raise UsageError(f"{out} is there already: name a folder that is not, or move that one away")


def copy_small(source: Path, target: Path) -> None:
    """Everything small: configuration, tokenizer, pooling; weights are written anew, other formats of them left out."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        top = Path(folder) == source
        weights = {name for name in names if name.endswith(_WEIGHTS) and (top or "Dense" not in folder)}
        hidden = {name for name in names if name.startswith(".") or name in ("onnx", "openvino")}
        return weights | hidden | ({name for name in names if name in _LEFT_OUT} if top else set())

    shutil.copytree(source, target, ignore=left_out)


def prescribe(folder: Path, read: EncoderFolder, pooling: str, after: Sequence[tuple[str, str]] = ()) -> None:
    """Make a sentence-transformers folder of a transformers folder: it pools as Embank does.

    Args:
        folder: where the transformer was written.
        read: what the folder said that it was copied from.
        pooling: "mean", "first", "max" or "last".
        after: folder and type of modules that follow pooling, such as ("2_Dense", "models.Dense").
    """
    inside = str(read.transformer.relative_to(read.path))
    types = [("" if inside == "." else inside, "models.Transformer"), ("1_Pooling", "models.Pooling"), *after]
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.{kind}"}
        for at, (path, kind) in enumerate(types)
    ]
    modes = {f"pooling_mode_{name}": mode == pooling for mode, name in _POOLINGS.items()}
    if read.own is not None and not read.own.prompt_counts:
        modes["include_prompt"] = False
    (folder / "1_Pooling").mkdir()
    limits = {"max_seq_length": read.max_tokens, "do_lower_case": read.lower}
    written = {
        "modules.json": modules,
        str(Path(inside) / "sentence_bert_config.json"): limits,
        "1_Pooling/config.json": {"word_embedding_dimension": read.width, **modes},
    }
    for name, content in written.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def card(report: TrunkReport, facts: EncoderFacts) -> str:
    """The model card: where the trunk comes from, what it learned from, and how well."""
    training = report.settings["training"]
    rows = [_row(source) for source in report.sources]
    passes = ", ".join(f"{score:.3f}" for score in report.passes)
    lines = [
        "---",
        "library_name: sentence-transformers",
        "tags: [embank, multi-task, sentence-transformers, feature-extraction]",
        "---",
        "",
        "# A general-purpose trunk",
        "",
        f"An encoder ({facts.family}, {facts.layers} layers, {facts.width} wide) that began as "
        f"`{named(report.origin)}` and was trained on {len(report.sources)} source tasks at once, a head for each, "
        "by `embank multitask train` "
        "(after 2004.14287). The heads are not part of it: fit new ones on banked columns.",
        "",
        "| source | kind | labels | training rows | validation rows | measure | score | frozen | guessing |",
        "|---|---|---:|---:|---:|---|---:|---:|---:|",
        *rows,
        "",
        f"Mean validation score after each pass: {passes}; pass {report.best} was kept. {report.steps} steps, "
        f"{report.seconds:.0f} s; batches of {training['batch']}, learning rate {training['rate']:g}, temperature "
        f"{report.settings['temperature']:g}, seed {training['seed']}; heads read {report.settings['reads']} layers in "
        f"{report.settings['served']}. Scores are those of the trunk with its own heads on held-back rows of the "
        "sources, beside those of linear heads on the encoder as it was (frozen); what it does for tasks that it has "
        "not seen, `embank multitask evaluate` measures.",
        "",
        "```",
        "embank encode BANK TEXTS --text COLUMN --encoder THIS_FOLDER",
        "```",
        "",
    ]
    return "\n".join(lines)


def _row(source: SourceScore) -> str:
    labels = str(source.labels) if source.labels else "-"
    counts = f"{source.rows} | {source.held_back}"
    frozen = "-" if source.frozen is None else f"{source.frozen:.3f}"
    scores = f"{source.measure} | {source.score:.3f} | {frozen} | {source.guess:.3f}"
    return f"| {source.name.replace('|', '/')} | {source.kind} | {labels} | {counts} | {scores} |"


def named(origin: str) -> str:
    """Without the folders of whoever trained it."""
    return Path(origin).name if origin.startswith(("/", "~", ".")) else origin
