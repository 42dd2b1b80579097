"""Prefixes: learning rate, length, reparametrisation and the layer from which on they stand, on validation rows.

One prefix of minilm for each of three sources (pairs, similarity, tags), scored on held-back rows of the same source
with the head that was trained beside it. Finished parts are kept.

    python bench/prefixes_rates.py [--rows 500] [--passes 10] [--sources snli_dev,stsb,wnut17]
"""

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
from measuring import kept, record
from prefixes import opened
from trunks import always

import embank
from embank.prefix.train import PrefixSettings, train_prefix


@dataclass(frozen=True)
class Design:
    """A prefix."""

    rate: float = 5e-3
    length: int = 16
    reparametrise: bool = False
    from_layer: int = 0

    @property
    def name(self) -> str:
        """For its part."""
        kind = "mlp" if self.reparametrise else "plain"
        return f"{self.rate:g}-{self.length}-{kind}-{self.from_layer}"


DESIGNS = (
    *(Design(rate) for rate in (1e-3, 5e-3, 2e-2)),
    *(Design(rate, reparametrise=True) for rate in (1e-4, 5e-4, 2e-3)),
    *(Design(length=length) for length in (4, 64)),
    *(Design(from_layer=layer) for layer in (2, 4)),
)


def measured(name: str, design: Design, asked: argparse.Namespace) -> dict[str, Any]:
    """Validation score of a source, of guessing, and seconds."""
    (source,) = (one for one in always(asked.rows) if one.name == name)
    loop = embank.TrainingSettings(epochs=asked.passes, rate=design.rate)
    settings = PrefixSettings(
        training=loop,
        length=design.length,
        from_layer=design.from_layer,
        reparametrise=design.reparametrise,
        most=asked.rows,
        validate=200,
    )
    found = train_prefix(opened(), source, settings)
    return {"score": found.source.score, "guess": found.source.guess, "seconds": found.seconds, "best": found.best}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--sources", default="snli_dev,stsb,wnut17")
    asked = parser.parse_args()
    names = asked.sources.split(",")
    titles = "| rate | length | from layer | "
    lines = [titles + " | ".join(names) + " | mean | seconds |", "|---|---:|---:|" + "---:|" * (len(names) + 2)]
    for design in DESIGNS:
        row = [
            kept(
                f"prefixes-rates/{asked.rows}-{asked.passes}/{name}-{design.name}",
                lambda name=name, design=design: measured(name, design, asked),
            )
            for name in names
        ]
        scores = [100 * one["score"] for one in row]
        rate = f"{design.rate:g}" + ", through an MLP" * design.reparametrise
        lines.append(
            f"| {rate} | {design.length} | {design.from_layer} | "
            + " | ".join(f"{score:.1f}" for score in scores)
            + f" | **{np.mean(scores):.1f}** | {sum(one['seconds'] for one in row):.0f} |"
        )
        print(lines[-1], flush=True)
    lines += ["", f"Validation scores; at most {asked.rows} rows a source and {asked.passes} passes, one seed."]
    record("Prefixes 3. Rates, lengths, layers", lines)


if __name__ == "__main__":
    main()
