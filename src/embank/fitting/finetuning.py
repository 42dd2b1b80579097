"""Full fine-tuning of an encoder for one task: the yardstick of tails, on the same split with the same loop."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from embank.errors import HeadError
from embank.extras import load
from embank.fitting import Examples, FitReport
from embank.fitting.assignments import identity_of, measure_of, objective_for
from embank.fitting.examples import collect
from embank.fitting.tails import TailLabels
from embank.tails import TailDesign, TailOptions
from embank.tails.settings import TrainingSettings, TrainingWatch, default_rate
from embank.tasks import Labels
from embank.texts import Text, keys_and_faults


@dataclass(frozen=True, eq=False)
class FineTuned:
    """A fine-tuned encoder.

    Attributes:
        report: what a fit says.
        test: measures on test rows, empty where none were given.
        seconds_per_pass: of training.
        texts_per_second: of prediction, on the held-back or test rows.
    """

    report: FitReport
    test: dict[str, float]
    seconds_per_pass: float
    texts_per_second: float


@dataclass(frozen=True, eq=False)
class FineTuneData:
    """Rows to train on, and rows to test on.

    Attributes:
        texts: texts or pairs.
        labels: of these.
        test_texts: others, or none.
        test_labels: of these.
    """

    texts: Sequence[Any]
    labels: TailLabels
    test_texts: Sequence[Any] = ()
    test_labels: TailLabels | None = None


def finetune(
    encoder: Any,
    data: FineTuneData,
    settings: TrainingSettings,
    checkpoint: Path | None = None,
    watch: TrainingWatch = lambda _: None,
) -> FineTuned:
    """Train all layers of an encoder for one task; a fifth of the rows is held back, as in `Bank.fit`.

    Args:
        encoder: in torch and float32, for nobody else: its weights change.
        data: rows.
        settings: of the loop; the learning rate may be left open.
        checkpoint: where to keep a checkpoint, so that a training that was killed goes on, or None.
        watch: told after every step.

    Raises:
        HeadError: too few labels, or a training that went astray.
    """
    began = time.monotonic()
    live, learning = load("embank.baselines.live", "torch"), load("embank.tails.learning", "torch")
    examples, contents, skipped = _examples(data, settings.seed)
    held = np.array(examples.held_back, np.bool_)
    train, back = np.flatnonzero(~held), np.flatnonzero(held)
    settings = replace(settings, rate=settings.rate or default_rate("full", encoder.width))
    kind = data.labels.kind
    objective, names = objective_for((kind, examples.values), contents, train, encoder)
    design = TailDesign(0, "full", kind, objective.n_outputs, TailOptions(pooling=encoder.pooling))
    module = live.LiveEncoder(encoder, design, settings.seed)
    lessons = live.TokenLessons(encoder, encoder.tokens(contents), objective)
    identity = identity_of(["finetune", vars(design), vars(settings), encoder.reading.weights], examples)
    assignment = learning.Assignment(lessons, objective, train, back)
    trained = learning.learn(module, assignment, settings, (identity, checkpoint), watch)
    position = trained.position
    started = time.monotonic()
    on_back = learning.outputs_of(module, lessons, back)
    speed = len(back) / (time.monotonic() - started)
    learned = objective.calibrated(back, on_back)
    measure = measure_of(objective, learned)
    report = FitReport(
        "baseline",
        kind,
        names,
        len(examples.texts),
        len(back),
        skipped,
        (),
        {
            "head": "full fine-tuning",
            "learning rate": float(settings.rate or 0),
            "passes": f"{position.best_epoch} of {position.epoch}",
            "steps": position.step,
            "training seconds": round(position.seconds, 1),
        },
        measure(train, learning.outputs_of(module, lessons, train)),
        measure(back, on_back),
        objective.guess(train, back),
        objective.primary,
        {f"pass {number}": score for number, score in enumerate(position.scores, start=1)},
        time.monotonic() - began,
    )
    test: dict[str, float] = {}
    if data.test_labels is not None:
        test, speed = _test(module, encoder, data, (objective, names, learned))
    return FineTuned(report, test, position.seconds / max(position.epoch, 1), speed)


def _examples(data: FineTuneData, seed: int) -> tuple[Examples, list[Text], dict[str, int]]:
    """Each text once, with its split, and the texts in the order of the examples."""
    texts = [tuple(text) if isinstance(text, tuple | list) else text for text in data.texts]
    keys, _ = keys_and_faults(texts)
    numbers: dict[bytes, int] = {}
    of_rows = [-1 if key is None else numbers.setdefault(key, len(numbers)) for key in keys]
    by_number = {number: text for number, text in zip(of_rows, texts, strict=True) if number >= 0}
    missing = sum(value is None for value in data.labels.values)
    labels = Labels(data.labels.kind, tuple(data.labels.values), missing)  # type: ignore[arg-type]
    examples, skipped = collect(of_rows, None, labels, seed)
    return examples, [by_number[number] for number in examples.texts.tolist()], skipped


def _test(
    module: Any, encoder: Any, data: FineTuneData, known: tuple[Any, tuple[str, ...], Any]
) -> tuple[dict[str, float], float]:
    """Measures on test rows, and texts a second."""
    live, learning = load("embank.baselines.live", "torch"), load("embank.tails.learning", "torch")
    objective, names, learned = known
    assert data.test_labels is not None  # noqa: S101 - for mypy
    pairs = zip(data.test_texts, data.test_labels.values, strict=True)
    rows = [(text, value) for text, value in pairs if value is not None]
    if not rows:
        raise HeadError("none of the test rows has a label: is it the right column?")
    texts = [text for text, _ in rows]
    everything = np.arange(len(rows))
    other, _ = objective_for((objective.kind, [value for _, value in rows]), texts, everything, encoder, names)
    if hasattr(objective, "scale"):
        vars(other)["scale"] = objective.scale  # numbers are scaled as they were trained
    lessons = live.TokenLessons(encoder, encoder.tokens(texts), other)
    started = time.monotonic()
    outputs = learning.outputs_of(module, lessons, everything)
    speed = len(rows) / (time.monotonic() - started)
    return measure_of(other, learned)(everything, outputs), speed
