"""Claim 6: resident memory while encoding 1,000,000 rows against 10,000, and how quickly `embank --help` answers.

A tiny random BERT (2 layers, 64 wide) makes a million rows affordable: all that grows with rows is the same as with a
large encoder. Each run is a process of its own; its peak resident size is what the operating system says.

    python bench/memory.py [--rows 1000000]
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measuring import WORK, claim, record


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--child", nargs=2)
    asked = parser.parse_args()
    if asked.child:
        child(*asked.child)
        return
    WORK.mkdir(parents=True, exist_ok=True)
    encoder = tiny_encoder()
    peaks = {}
    for rows in (10_000, asked.rows):
        table = WORK / f"memory-{rows}.parquet"
        with pq.ParquetWriter(table, pa.schema([("id", pa.int64()), ("text", pa.string())])) as writer:
            for start in range(0, rows, 50_000):
                numbers = range(start, min(start + 50_000, rows))
                texts = [f"message {number} says {number * 7919 % 100003} and little else" for number in numbers]
                writer.write_table(pa.table({"id": list(numbers), "text": texts}))
        command = [sys.executable, __file__, "--child", str(table), str(encoder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[rows] = json.loads(done.stdout.splitlines()[-1])
        print(rows, peaks[rows], flush=True)
    small, large = peaks[10_000]["peak"], peaks[asked.rows]["peak"]
    helps = sorted(help_seconds() for _ in range(7))
    record(
        "6. Memory and start-up",
        [
            f"- peak resident memory: 10,000 rows {small:,.0f} MB, {asked.rows:,} rows {large:,.0f} MB: "
            f"{large - small:+,.0f} MB (target at most 200)",
            f"- `embank --help`: median {np.median(helps):.2f} s of 7 (target 0.4)",
        ],
    )
    if asked.rows == 1_000_000:
        claim("memory.growth", f"{large - small:,.0f} MB")
    claim("cli.help", f"{np.median(helps):.2f} s")


def child(table: str, encoder: str) -> None:
    """Encode a file as the command line does, and say how large the process became."""
    from pathlib import Path

    import embank

    folder = WORK / "memory-bank"
    shutil.rmtree(folder, ignore_errors=True)
    options = embank.BankOptions(compute=embank.ComputeOptions("torch", "float32"))
    with embank.Bank.create(folder, options) as bank:
        blocks = (
            embank.TextBlock(block.source, block.start, block.columns["text"], ids=block.columns["id"])
            for block in embank.tables.read([Path(table)], ["text", "id"])
        )
        report = bank.encode(blocks, encoder=encoder)
    shutil.rmtree(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak": peak, "seconds": report.seconds, "new": report.new}))


def tiny_encoder() -> object:
    """A random BERT with minilm's tokenizer."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    from embank.encoders.load import locate

    folder = WORK / "tiny-bert"
    if not (folder / "config.json").exists():
        tokenizer = AutoTokenizer.from_pretrained(locate("minilm").folder.path)
        config = BertConfig(
            vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128
        )
        BertModel(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def help_seconds() -> float:
    """Seconds of `embank --help`, as a shell sees them."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "from embank.cli import main; import sys; sys.argv=['embank','--help']; main()"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
