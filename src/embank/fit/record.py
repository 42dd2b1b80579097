"""The record of a fit in the catalogue."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from embank.fit import FitReport, FitSettings
from embank.store import StoredColumn


def record_of(report: FitReport, settings: FitSettings, columns: Mapping[str, StoredColumn]) -> dict[str, Any]:
    """A report as a task's record, with the fingerprints of the columns that the task reads.

    Args:
        report: of the fit.
        settings: what the user said, so that the task can be fitted again.
        columns: of the bank; a tail may read states that it does not have.
    """
    return {
        "kind": report.kind,
        "labels": list(report.labels),
        "reads": settings.reads,
        # in the order of the head's weights; a JSON object keeps it
        "columns": {name: columns[name].recipe.fingerprint for name in report.columns if name in columns},
        "settings": {**asdict(settings), "columns": list(settings.columns)},
        "measure": report.measure,
        "train": dict(report.train),
        "validation": dict(report.validation),
        "baseline": dict(report.baseline),
        "examples": report.examples,
        "held_back": report.held_back,
        "chosen": dict(report.chosen),
        "fitted_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 3),
    }
