"""The sample that ships with Embank: support messages written for this project, with four label columns."""

import csv
import io
from importlib.resources import files

SUPPORT = files("embank.samples") / "support.csv"
"""360 messages: `id`, `message`, `urgent` (yes or no), `topic` (eight), `tags` (several), `satisfaction` (0 to 10)."""


def messages() -> list[str]:
    """The sample's texts; they also top up a calibration sample that would be too small."""
    return [row["message"] for row in csv.DictReader(io.StringIO(SUPPORT.read_text(encoding="utf-8"), newline=""))]
