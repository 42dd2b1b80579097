"""Claim 3: `encode` again over 1,000,000 known short texts, texts a second, and bytes a text of the bank.

The bank is filled with vectors made here (no encoder is needed to fill it); the second run is `bank.encode` over the
same texts, as `embank encode` does it.

    python bench/cache_hit.py [--texts 1000000]
"""

import argparse
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measuring import WORK, claim, record, timed

import embank

WIDTH = 384


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=1_000_000)
    asked = parser.parse_args()
    lines, speeds, sizes = [], [], {}
    texts = [f"{number * 7919 % 1000003} is the number of message {number}" for number in range(asked.texts)]
    table = WORK / "cache_hit.parquet"
    WORK.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": texts}), table)
    random = np.random.default_rng(0)
    for codec in ("float16", "int8", "binary"):
        folder = WORK / f"cache-hit-{codec}"
        shutil.rmtree(folder, ignore_errors=True)
        with embank.Bank.create(folder) as bank:
            for start in range(0, len(texts), 100_000):
                part = texts[start : start + 100_000]
                vectors = random.standard_normal((len(part), WIDTH)).astype(np.float32)
                bank.put(part, vectors, f"given/0/own@{codec}")
        with embank.Bank.open(folder) as bank:
            blocks = (
                embank.TextBlock(block.source, block.start, block.columns["text"])
                for block in embank.tables.read([table], ["text"])
            )
            with timed() as clock:
                report = bank.encode(blocks, columns=[f"given/0/own@{codec}"])
            assert report.known == len(texts), report
            summary = bank.summary()
        raw = summary.columns[0].row_bytes
        each = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / len(texts)
        bound = 1.02 * raw + 40
        lines.append(
            f"- {codec}: {len(texts) / clock.seconds:,.0f} known texts/s (target 200,000), read from Parquet; "
            f"{each:.1f} bytes a text on disk, raw row {raw}, bound {bound:.1f}"
        )
        print(lines[-1], flush=True)
        speeds.append(len(texts) / clock.seconds)
        sizes[codec] = each, bound
        shutil.rmtree(folder)
    record(f"3. Cache hit over {asked.texts:,} known texts", lines)
    if asked.texts == 1_000_000:
        claim("encode.known", f"{min(speeds):,.0f} texts/s")
        for codec, (each, bound) in sizes.items():
            claim(f"bank.bytes.{codec}", f"{each:.1f} bytes per text", target=f"at most {bound:.1f} bytes per text")


if __name__ == "__main__":
    main()
