"""Full fine-tuning of an encoder for one task: the yardstick of tails, on the same split with the same loop.

The three steps of it, rows to lessons, training, and judging what came of it, serve distillation as well.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from embank.errors import HeadError
from embank.fit import Examples, FitReport
from embank.fit.examples import collect
from embank.fit.objective import identity_of, measure_of, objective_for
from embank.labels.read import Labels
from embank.models.tail_design import TailDesign, TailOptions
from embank.optional import load
from embank.texts import Text, keys_and_faults
from embank.training.settings import TrainingSettings, TrainingWatch, default_rate


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
    labels: Labels
    test_texts: Sequence[Any] = ()
    test_labels: Labels | None = None


@dataclass(frozen=True, eq=False)
class Ready:
    """Rows of a task, ready for an encoder to be trained on.

    Attributes:
        encoder: in torch and float32; it reads the texts.
        data: the rows.
        examples: each text once, with the split.
        contents: the texts, in the order of the examples.
        skipped: rows that were left out, by reason.
        objective: what is asked of the examples.
        names: of classes, labels or tags.
        lessons: the examples as token numbers.
    """

    encoder: Any
    data: FineTuneData
    examples: Examples
    contents: Sequence[Text]
    skipped: Mapping[str, int]
    objective: Any
    names: tuple[str, ...]
    lessons: Any

    @property
    def train(self) -> np.ndarray:
        """Numbers of the examples that are trained on."""
        return np.flatnonzero(~np.array(self.examples.held_back, np.bool_))

    @property
    def held_back(self) -> np.ndarray:
        """Numbers of the examples that validate."""
        return np.flatnonzero(np.array(self.examples.held_back, np.bool_))

    @property
    def design(self) -> TailDesign:
        """Kind, outputs and pooling of what is put on the encoder."""
        options = TailOptions(pooling=self.encoder.pooling)
        return TailDesign(0, "full", self.data.labels.kind, self.objective.n_outputs, options)

    def identity(self, parts: Sequence[Any]) -> str:
        """Digest of all that decides the outcome of a training: these parts, how texts are read, and the rows."""
        texts = blake2b(digest_size=16)
        for key in keys_and_faults(self.contents)[0]:
            texts.update(key or b"")
        return identity_of([*parts, asdict(self.encoder.reading), texts.hexdigest()], self.examples)

    def rated(self, settings: TrainingSettings) -> TrainingSettings:
        """Settings with the learning rate that suits the encoder, where none was given."""
        return replace(settings, rate=settings.rate or default_rate("full", self.encoder.width))


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
    task = ready(encoder, data, settings.seed)
    settings = task.rated(settings)
    module, trained = tuned(task, settings, checkpoint, watch)
    chosen = {"head": "full fine-tuning", "learning rate": float(settings.rate or 0)}
    return judged(task, module, trained.position, chosen, began)


def ready(encoder: Any, data: FineTuneData, seed: int) -> Ready:
    """Read rows as an encoder is trained on them; a fifth of them is held back.

    Raises:
        HeadError: too few labels.
    """
    live = load("embank.models.full", "torch")
    examples, contents, skipped = _examples(data, seed)
    train = np.flatnonzero(~np.array(examples.held_back, np.bool_))
    objective, names = objective_for((data.labels.kind, examples.values), contents, train, encoder)
    lessons = live.TokenLessons(encoder, encoder.tokens(contents), objective)
    return Ready(encoder, data, examples, contents, skipped, objective, names, lessons)


def tuned(task: Ready, settings: TrainingSettings, checkpoint: Path | None, watch: TrainingWatch) -> tuple[Any, Any]:
    """Train all layers of the task's encoder; returns the module and how training went."""
    live, learning = load("embank.models.full", "torch"), load("embank.training.fit", "torch")
    module = live.LiveEncoder(task.encoder, task.design, settings.seed)
    assignment = learning.Assignment(task.lessons, task.objective, task.train, task.held_back)
    identity = task.identity(["finetune", asdict(task.design), asdict(settings)])
    return module, learning.learn(module, assignment, settings, (identity, checkpoint), watch)


def judged(task: Ready, module: Any, position: Any, chosen: Mapping[str, Any], began: float) -> FineTuned:
    """Score what was trained.

    Args:
        task: what it was trained on.
        module: what was trained.
        position: where training ended.
        chosen: what there is to say of it, in words.
        began: when, on the monotonic clock.
    """
    learning = load("embank.training.fit", "torch")
    objective, lessons, train, back = task.objective, task.lessons, task.train, task.held_back
    started = time.monotonic()
    on_back = learning.outputs_of(module, lessons, back)
    speed = len(back) / (time.monotonic() - started)
    learned = objective.calibrated(back, on_back)
    measure = measure_of(objective, learned)
    report = FitReport(
        "baseline",
        task.data.labels.kind,
        task.names,
        len(task.examples.texts),
        len(back),
        task.skipped,
        (),
        {
            **chosen,
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
    if task.data.test_labels is not None:
        test, speed = _test(module, task, learned)
    return FineTuned(report, test, position.seconds / max(position.epoch, 1), speed)


def _examples(data: FineTuneData, seed: int) -> tuple[Examples, list[Text], dict[str, int]]:
    """Each text once, with its split, and the texts in the order of the examples."""
    texts = [tuple(text) if isinstance(text, tuple | list) else text for text in data.texts]
    keys, _ = keys_and_faults(texts)
    numbers: dict[bytes, int] = {}
    of_rows = [-1 if key is None else numbers.setdefault(key, len(numbers)) for key in keys]
    by_number = {number: text for number, text in zip(of_rows, texts, strict=True) if number >= 0}
    examples, skipped = collect(of_rows, None, data.labels, seed)
    return examples, [by_number[number] for number in examples.texts.tolist()], skipped


def _test(module: Any, task: Ready, learned: Mapping[str, Any]) -> tuple[dict[str, float], float]:
    """Measures on test rows, and texts a second."""
    live, learning = load("embank.models.full", "torch"), load("embank.training.fit", "torch")
    objective, encoder, data = task.objective, task.encoder, task.data
    assert data.test_labels is not None  # noqa: S101 - for mypy
    pairs = zip(data.test_texts, data.test_labels.values, strict=True)
    rows = [(text, value) for text, value in pairs if value is not None]
    if not rows:
        raise HeadError("none of the test rows has a label: is it the right column?")
    texts = [text for text, _ in rows]
    everything = np.arange(len(rows))
    other, _ = objective_for((objective.kind, [value for _, value in rows]), texts, everything, encoder, task.names)
    if hasattr(objective, "scale"):
        vars(other)["scale"] = objective.scale  # numbers are scaled as they were trained
    lessons = live.TokenLessons(encoder, encoder.tokens(texts), other)
    started = time.monotonic()
    outputs = learning.outputs_of(module, lessons, everything)
    speed = len(rows) / (time.monotonic() - started)
    return measure_of(other, learned)(everything, outputs), speed
