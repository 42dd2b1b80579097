"""An encoder that was trained on source tasks as a folder, with a model card."""

import json
from dataclasses import asdict
from pathlib import Path

from embank.encoders import EncoderFacts
from embank.encoders.torch import TransformerEncoder, quietly
from embank.fit.source_tasks import SourceScore
from embank.models.encoder_folder import CARD, REPORT, copy_small, named, new_folder, prescribe
from embank.multitask import MultitaskReport


def save_multitask(encoder: TransformerEncoder, report: MultitaskReport, out: Path) -> None:
    """Write a trained encoder, whole or not at all.

    The tokenizer and, of a sentence-transformers folder, its pooling are those of the encoder that training began with.

    Args:
        encoder: the `TransformerEncoder` that was trained.
        report: goes into the model card and, as JSON, beside it.
        out: a folder that is not there yet.

    Raises:
        UsageError: the folder is there.
    """
    folder = encoder.folder
    with new_folder(out) as begun:
        copy_small(folder.path, begun)
        transformer = begun / folder.transformer.relative_to(folder.path)
        with quietly():
            encoder.model.save_pretrained(transformer)
        if not (begun / "modules.json").is_file():
            prescribe(begun, folder, encoder.pooling)
        (begun / REPORT).write_text(json.dumps(asdict(report), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        (begun / CARD).write_text(card(report, encoder.facts), encoding="utf-8")


def card(report: MultitaskReport, facts: EncoderFacts) -> str:
    """The model card: where the encoder comes from, what it learned from, and how well."""
    training = report.settings["training"]
    rows = [_row(source) for source in report.sources]
    passes = ", ".join(f"{score:.3f}" for score in report.passes)
    lines = [
        "---",
        "library_name: sentence-transformers",
        "tags: [embank, multi-task, sentence-transformers, feature-extraction]",
        "---",
        "",
        "# A multi-task encoder",
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
        f"{report.settings['temperature']:g}, seed {training['seed']}; heads read {report.settings['reads']} layers. "
        f"Scores are those of the encoder with its own heads on held-back rows of the "
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
