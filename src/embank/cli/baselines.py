"""`embank baseline`: what one would do without a bank, on the same split and with the same loop."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import embank
from embank.cli import console, flags, training
from embank.cli.fitting import print_report
from embank.cli.labels import LabelFiles
from embank.extras import load

app = typer.Typer(help="Yardsticks: what a task would cost without a bank.", no_args_is_help=True)


@app.command()
def finetune(
    files: Annotated[list[Path], typer.Argument(metavar="LABELS...", help="Files with texts and labels.")],
    label: Annotated[str, flags.flag("--label", metavar="COL", help="The column of labels.")],
    text: Annotated[str | None, flags.flag("--text", metavar="COL", help="The column of texts.")] = None,
    words: flags.WordsColumn = None,
    pair: flags.PairColumn = None,
    kind: Annotated[str, flags.flag("--kind", help="auto, single, multi, regression, tagging or span.")] = "auto",
    test: Annotated[
        Path | None, flags.flag("--test", metavar="FILE", help="Rows to score the outcome on, of the same columns.")
    ] = None,
    encoder: Annotated[
        str, flags.flag("--encoder", help="minilm, a folder, or a hub name (org/model@revision).")
    ] = "minilm",
    max_tokens: Annotated[
        int | None, flags.flag("--max-tokens", help="The longest input; left out, what the encoder's folder says.")
    ] = None,
    epochs: training.Epochs = None,
    batch: training.BatchSize = 32,
    rate: training.Rate = None,
    patience: training.Patience = 3,
    seed: Annotated[int, flags.flag("--seed", help="Of the split and of everything random.")] = 0,
    checkpoint: Annotated[
        Path | None, flags.flag("--checkpoint", metavar="FILE", help="Keeps training here, to go on after a stop.")
    ] = None,
    as_format: flags.Format = None,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    local_files_only: flags.Offline = False,
) -> None:
    """Fine-tune all layers of an encoder for one task, and say how good and how fast that is."""
    labels, given = LabelFiles(files, label, text, words, None, pair, None, as_format).read()
    tails, finetuning = load("embank.fitting.tails", "torch"), load("embank.fitting.finetuning", "torch")
    opening = load("embank.encoders.opening", "torch")
    reading = embank.ReadingOptions(max_tokens=max_tokens)
    located = opening.locate(encoder, reading, local_files_only=local_files_only)
    opened = opening.open_encoder(located, "torch", "float32", Path.home() / ".cache" / "embank")
    read = tails.read_tail_labels(labels, kind, given["texts"])
    test_texts, test_labels = [], None
    if test is not None:
        found, other = LabelFiles([test], label, text, words, None, pair, None, as_format).read()
        test_texts, test_labels = other["texts"], tails.read_tail_labels(found, read.kind, other["texts"])
    data = finetuning.FineTuneData(given["texts"], read, test_texts, test_labels)
    loop = embank.TrainingSettings(epochs, batch, rate, patience, seed=seed)
    with training.progress(quiet=quiet or as_json) as watch:
        tuned = finetuning.finetune(opened, data, loop, checkpoint, watch)
    if as_json:
        speeds = {"seconds_per_pass": tuned.seconds_per_pass, "texts_per_second": tuned.texts_per_second}
        typer.echo(json.dumps({**asdict(tuned.report), "test": tuned.test, **speeds}, ensure_ascii=False))
    elif not quiet:
        print_report(tuned.report)
        for name, value in tuned.test.items():
            typer.echo(f"  test {console.MEASURES[name]} {value:.3f}")
        typer.echo(f"  {tuned.seconds_per_pass:.1f} s a pass; predicts {tuned.texts_per_second:,.0f} texts/s")
