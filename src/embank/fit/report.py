"""The report of a fit, and the record of it in the catalogue."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from embank.fit import FitSettings
from embank.reports.sheet import Sheet, Table
from embank.reports.wording import CHOICES, MEASURES, counted
from embank.store import StoredColumn


@dataclass(frozen=True, kw_only=True)
class FitReport(Sheet):
    """What a fit found.

    Attributes:
        task: its name.
        kind: of the task.
        labels: its classes; empty for a regression.
        examples: distinct texts that were used.
        held_back: how many of these were validation rows.
        skipped: rows that were left out, by reason.
        columns: what the head reads.
        chosen: the other choices, in words: penalty, class weights, head.
        train: measures on the training rows.
        validation: measures on the held-back rows.
        baseline: the same measures of guessing without reading.
        measure: which of the measures counts.
        tried: the score of every set of columns that was tried, on training rows alone.
        seconds: that it took.
    """

    task: str
    kind: str
    labels: tuple[str, ...]
    examples: int
    held_back: int
    skipped: Mapping[str, int]
    columns: tuple[str, ...]
    chosen: Mapping[str, Any]
    train: Mapping[str, float]
    validation: Mapping[str, float]
    baseline: Mapping[str, float]
    measure: str
    tried: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def parts(self) -> Iterator[str | Table]:
        """What the fit found, in words."""
        what = f"{self.kind}, {len(self.labels)} labels" if self.labels else self.kind
        trained = self.examples - self.held_back
        yield f"task {self.task}: {what}; {trained:,} training and {self.held_back:,} validation texts"
        for reason, rows in self.skipped.items():
            yield f"  {counted(rows, 'row')} left out: {reason}"
        guess = "mean" if self.kind == "regression" else "majority"
        scores = [
            [MEASURES[name], f"{self.train[name]:.3f}", f"{value:.3f}", f"{self.baseline[name]:.3f}"]
            for name, value in self.validation.items()
        ]
        yield Table(["measure", "train", "validation", f"baseline ({guess})"], scores, (1, 2, 3), indent=2)
        if self.columns:
            yield f"  reads {', '.join(self.columns)}"
        trials = [f"{name} {score:.3f}" for name, score in self.tried.items() if name.startswith("one-layer tail")]
        if trials:
            yield f"  tried {'; '.join(trials)} (of nearly equal ones the latest cut is taken: it costs least)"
        yield f"  chose {'; '.join(_choice(CHOICES.get(name, name), value) for name, value in self.chosen.items())}"
        yield f"  {self.seconds:.1f} s"


def _choice(name: str, value: Any) -> str:
    """Something that validation chose, in words."""
    if isinstance(value, bool):
        return f"{name}: {'yes' if value else 'no'}"
    return f"{name} {value:.3g}" if isinstance(value, float) else f"{name}: {value}"


def record_of(report: FitReport, settings: FitSettings, columns: Mapping[str, StoredColumn]) -> dict[str, Any]:
    """A report as a task's record, with the fingerprints of the columns that the task reads.

    Args:
        report: of the fit.
        settings: of the fit, so that the task can be fitted again.
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
