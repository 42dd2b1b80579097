"""Every benchmark, one after another, and RESULTS.md at the end; finished parts are kept in bench/parts and resumed.

python bench/run.py
"""

import subprocess
import sys
from pathlib import Path

SCRIPTS = (
    "memory",
    "cache_hit",
    "prediction",
    "encoding",
    "fitting",
    "accuracy",
    "default_columns",
    "codecs",
    "heads",
    "tails_speed",
    "tails_rates",
    "states_precision",
    "tails_peers",
    "cross_model",
    "tails_accuracy",
    "pooling",
    "trunks",
    "prefixes_rates",
    "prefixes",
    "updates",
    "plan",
    "break_even",
    "search",
    "retrieval",
    "dedup",
    "distillation",
    "results",
)


def main() -> None:
    for script in SCRIPTS:
        print(f"== {script}", flush=True)
        subprocess.run([sys.executable, str(Path(__file__).with_name(f"{script}.py"))], check=True)


if __name__ == "__main__":
    main()
