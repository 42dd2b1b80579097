"""Tails: how much faster they train and predict than the whole encoder, at half of the depth, states read from disk.

Shapes of BERT-base, RoBERTa-large and DeBERTa-v2 XL with random weights, which serve for timing alone. One step of
training is timed as a pass over the examples is made of them; both sides run in turn, on the same texts, with the same
batch. States are read from the bank inside the timed part, once with the page cache emptied of them and once warm.
The verdict of read-or-recompute stands beside it.

    python bench/tails_speed.py [--shapes bert-base,roberta-large,deberta-v2-xl] [--texts 32] [--rounds 3]
"""

import argparse
import gc
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
import transformers
from measuring import WORK, data_folder, kept, record

import embank
from embank.encode.opened_encoders import OpenedEncoders
from embank.encode.state_loader import StateSource
from embank.encoders.load import locate, open_encoder
from embank.models.full import EncoderWithHead
from embank.models.tail import build_tail
from embank.models.tail_settings import TailDesign
from embank.recipe import ColumnName
from embank.store.folder import Store
from embank.training.datasets import LabelledDataset
from embank.training.objectives import PooledObjective
from embank.training.outputs import predict_outputs
from embank.training.precision import precision
from embank.training.state_inputs import StateInputs
from embank.training.token_inputs import TokenInputs

SHAPES: dict[str, Callable[[int], Any]] = {
    "bert-base": lambda vocabulary: transformers.BertConfig(vocab_size=vocabulary),
    "roberta-large": lambda vocabulary: transformers.RobertaConfig(
        vocab_size=vocabulary,
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        pad_token_id=0,
        max_position_embeddings=514,
    ),
    "deberta-v2-xl": lambda vocabulary: transformers.DebertaV2Config(
        vocab_size=vocabulary,
        hidden_size=1536,
        num_hidden_layers=24,
        num_attention_heads=24,
        intermediate_size=6144,
        relative_attention=True,
        position_buckets=256,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        conv_kernel_size=3,
    ),
}
BATCH = 8
MOST_FOR_ADAM = 300_000_000
"""Of more trained parameters than this, the moments do not fit into memory beside the rest: plain descent instead."""


def folder_of(shape: str) -> Path:
    """A folder with random weights of a shape, and minilm's tokenizer."""
    folder = WORK / f"shape-{shape}"
    if not (folder / "config.json").exists():
        tokenizer = transformers.AutoTokenizer.from_pretrained(locate("minilm").folder.path)
        torch.manual_seed(0)
        model = transformers.AutoModel.from_config(SHAPES[shape](len(tokenizer)))
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def texts_of(count: int) -> list[str]:
    """Paragraphs of an encyclopedia, all of about 128 tokens."""
    rows = pq.read_table(data_folder() / "text/wikipedia/dev.parquet")["text"].to_pylist()
    words = " ".join(rows).split()
    return [" ".join(words[at * 90 : at * 90 + 90]) for at in range(count)]


def drop_cache(bank: Path) -> None:
    """Let the page cache forget the bank's files, so that they are read from the disk."""
    for file in bank.rglob("*.npy"):
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def trainer(module: Any, dataset: LabelledDataset[Any]) -> Callable[[], float]:
    """Seconds of one pass of training over all examples."""
    weights = list(module.trainable().values())
    many = sum(one.numel() for one in weights) > MOST_FOR_ADAM
    optimiser = torch.optim.SGD(weights, lr=1e-6) if many else torch.optim.AdamW(weights, lr=1e-6, fused=True)

    def run() -> float:
        module.train()
        started = time.perf_counter()
        for start in range(0, len(dataset.lengths), BATCH):
            which = np.arange(start, min(start + BATCH, len(dataset.lengths)))
            inputs, targets = dataset[which]
            with precision():
                logits = module(**inputs)
            dataset.loss(logits, targets).backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return time.perf_counter() - started

    return run


def predictor(module: Any, inputs: Any) -> Callable[[], float]:
    """Seconds of predicting all examples."""
    everything = np.arange(len(inputs.lengths))

    def run() -> float:
        started = time.perf_counter()
        predict_outputs(module, inputs, everything)
        return time.perf_counter() - started

    return run


def median_ratio(theirs: Callable[[], float], ours: Callable[[], float], rounds: int) -> tuple[float, float, float]:
    """Median seconds of both, in turn, after one untimed round each, and how many times ours is faster."""
    theirs(), ours()
    pairs = [(theirs(), ours()) for _ in range(rounds)]
    slow, fast = (float(np.median([pair[side] for pair in pairs])) for side in (0, 1))
    return slow, fast, slow / fast


def measured(shape: str, count: int, rounds: int) -> dict[str, Any]:
    """All of one shape."""
    texts, place = texts_of(count), folder_of(shape)
    folder = WORK / f"tails-speed-{shape}"
    shutil.rmtree(folder, ignore_errors=True)
    options = embank.BankOptions(compute=embank.ComputeOptions("torch"))
    cut = SHAPES[shape](100).num_hidden_layers // 2
    with embank.Bank.create(folder, options) as bank:
        verdict = bank.weigh_states(texts[:8], cut, f"shape={place}")
        bank.encode(texts, columns=[f"shape/{cut}/states@float16"], encoder=f"shape={place}")
        numbers = np.arange(len(texts))
    gc.collect()
    labels = np.array(["a", "b"] * (count // 2))
    objective = PooledObjective(kind="single", y=labels, labels=("a", "b"), train=numbers)
    design = TailDesign(cut=cut, method="full", kind="single", outputs=2)
    whole = open_encoder(locate(f"shape={place}"), "torch", "float32", WORK)
    live = EncoderWithHead(whole, replace(design, cut=0), 0)
    tokens = TokenInputs(whole, texts)
    with Store(folder) as store:
        half = open_encoder(locate(f"shape={place}"), "torch", "float32", WORK)
        tail = build_tail(half.model, half.n_layers, design, 0)
        column = str(ColumnName("shape", cut, "states"))
        encoders = OpenedEncoders(store, embank.BankOptions())
        encoders.encoder_for = lambda *_: whole  # type: ignore[method-assign]
        source = StateSource(encoders, column)
        states = StateInputs(source, numbers, 0)

        def cold(run: Callable[[], float]) -> Callable[[], float]:
            def fresh() -> float:
                nonlocal source
                drop_cache(folder)
                return run()

            return fresh

        predicting = predictor(live, tokens), predictor(tail, states)
        found: dict[str, Any] = {
            "predict, cold": median_ratio(predicting[0], cold(predicting[1]), rounds),
            "predict, warm": median_ratio(*predicting, rounds),
        }
        training = (
            trainer(live, LabelledDataset(tokens, objective)),
            trainer(tail, LabelledDataset(states, objective)),
        )
        found |= {
            "train, cold": median_ratio(training[0], cold(training[1]), rounds),
            "train, warm": median_ratio(*training, rounds),
        }
    shutil.rmtree(folder)
    return {**found, "verdict": str(verdict), "computed": source.misses}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--texts", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    lines = [
        "| shape | what | whole encoder, s | tail, s | times faster | target |",
        "|---|---|---:|---:|---:|---:|",
    ]
    verdicts = []
    for shape in asked.shapes.split(","):
        part = f"tails-speed/{shape}-{asked.texts}"
        found = kept(part, lambda shape=shape: measured(shape, asked.texts, asked.rounds))
        for what in ("train, cold", "train, warm", "predict, cold", "predict, warm"):
            whole, tail, ratio = found[what]
            target = 1.9 if what.startswith("train") else 1.8
            lines.append(f"| {shape} | {what} | {whole:.1f} | {tail:.1f} | {ratio:.2f} | {target} |")
            print(lines[-1], flush=True)
        verdicts.append(f"- {found['verdict']}; {found['computed']} states had to be computed")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    lines += ["", f"Random weights, {asked.texts} texts of about 128 tokens, batches of {BATCH}, {device}.", *verdicts]
    record("Tails 2. Speed", lines)


if __name__ == "__main__":
    main()
