"""Training a trunk: one encoder, a head for each source task, all of it trained together."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch

from embank.encode.default_columns import DEFAULTS
from embank.errors import HeadError, UsageError
from embank.fit.examples import collect
from embank.fit.objective import objective_for
from embank.labels.kinds import APART, POOLED, Kind
from embank.labels.read import read_labels
from embank.labels.words import words_fault, words_text
from embank.models.shared import HeadShape, Readings, SharedEncoder
from embank.multitask import Source, SourceScore, TrunkProgress, TrunkReport, TrunkSettings, TrunkWatch
from embank.multitask.dataset import Ledger, Mixed, SourceLessons, Taught, tokens_of
from embank.multitask.heads_first import learn_head
from embank.multitask.sampling import dealt
from embank.texts import keys_and_faults
from embank.training.fit import begin, outputs_of, taught
from embank.training.loop import Run, Trained, on_device, train
from embank.training.objectives import Which
from embank.training.precision import precision
from embank.training.settings import TrainingProgress, TrainingSettings, default_rate

_EPOCHS = 3
_SAMPLE = 512
"""Texts by which the raw encoder's dimensions are brought to one scale."""


@dataclass(frozen=True, eq=False)
class TrainedTrunk:
    """A trunk, and how it came about.

    Attributes:
        module: the encoder with the heads of its sources, holding the weights of the best pass.
        report: what training found.
        losses: mean loss of all sources in each pass.
    """

    module: SharedEncoder
    report: TrunkReport
    losses: Sequence[float]


def train_trunk(
    encoder: Any,
    sources: Sequence[Source],
    settings: TrunkSettings,
    checkpoint: Path | None = None,
    watch: TrunkWatch = lambda _: None,
) -> TrainedTrunk:
    """Train an encoder on several source tasks at once.

    Args:
        encoder: in torch and float32, for nobody else: its weights change.
        sources: at least one; names are distinct.
        settings: how.
        checkpoint: where to keep a checkpoint, so that a training that was killed goes on, or None.
        watch: told after every step.

    Raises:
        UsageError: no sources, or two of one name.
        HeadError: a source has too few labels, or training went astray.
    """
    names = [source.name for source in sources]
    if not names or len(set(names)) < len(names):
        found = ", ".join(names) or "none"
        raise UsageError(f"found the sources {found}; expected at least one, each under a name of its own")
    training = settings.training
    rate = training.rate or default_rate("full", encoder.width) / 2
    training = replace(training, rate=rate, epochs=training.epochs or _EPOCHS)
    settings = replace(settings, training=training)
    lessons = [teach(encoder, number, source, settings) for number, source in enumerate(sources)]
    shapes = [HeadShape(one.objective.kind, one.objective.n_outputs, one.lessons.second is not None) for one in lessons]
    readings = Readings(readouts_of(encoder, settings), settings.served, dropout=settings.dropout)
    module = SharedEncoder(encoder, shapes, readings, training.seed)
    module.standardise(sampled(module, lessons))
    for head, one in zip(module.heads, lessons, strict=True):
        begin(head, one.objective.beginning(one.train))
    reading = encoder.reading
    parts = [asdict(settings), reading.weights, reading.tokenizer, [(one.digest, one.weight) for one in lessons]]
    identity = blake2b(repr(parts).encode(), digest_size=16).hexdigest()
    trained = _run(module, lessons, (training, settings), (identity, checkpoint), watch)
    position = trained.position
    report = TrunkReport(
        encoder.facts.origin,
        [replace(report_of(module, one), frozen=position.first.get(one.name)) for one in lessons],
        position.scores,
        position.best_epoch,
        position.step,
        round(position.seconds, 1),
        trained.resumed,
        asdict(settings),
    )
    return TrainedTrunk(module, report, position.losses)


def readouts_of(encoder: Any, settings: TrunkSettings) -> tuple[tuple[int, str], ...]:
    """Layer and pooling of what source heads read."""
    if settings.reads == "last":
        return ((encoder.n_layers, encoder.pooling),)
    return tuple(dict.fromkeys((max(1, round(depth * encoder.n_layers)), pooling) for depth, pooling in DEFAULTS))


def teach(encoder: Any, number: int, source: Source, settings: TrunkSettings) -> Taught:
    """Read one source: its labels, its split, its texts as token numbers."""
    examples, contents = _examples(source, settings)
    kind = examples.kind
    train, held = _parts(examples.held_back, settings)
    seconds = None
    firsts: list[Any] = contents
    if source.reads == APART:
        firsts, seconds = [text[0] for text in contents], [text[1] for text in contents]
    try:
        objective, labels = objective_for((kind, examples.values), firsts, train, encoder)
    except HeadError as fault:
        raise HeadError(f"source {source.name!r}: {fault}") from fault
    below = None if seconds is None else tokens_of(encoder, seconds, objective)
    lessons = SourceLessons(number, tokens_of(encoder, firsts, objective), below)
    # A loss over many classes is longer than one over two: divided by that of guessing (MUPPET, 2101.11038, section 3).
    classes = objective.n_outputs if kind in ("single", "tagging") else 2
    weight = source.weight * (math.log(2) / math.log(max(2, classes)))
    digest = blake2b(repr((source.name, contents, examples.values, train.tolist())).encode(), digest_size=16)
    return Taught(source.name, lessons, objective, train, held, weight, labels, digest.hexdigest())


@dataclass(frozen=True, eq=False)
class _Rows:
    """Labelled texts of a source, each once."""

    kind: Kind
    values: Sequence[Any]
    held_back: Sequence[bool]


def _examples(source: Source, settings: TrunkSettings) -> tuple[_Rows, list[Any]]:
    """Texts that are labelled and sound, each once, with their split."""
    seed = settings.training.seed
    given, held = (source.validation or ((), ())), len(source.texts)
    texts = [_as_text(text, source) for text in (*source.texts, *given[0])]
    try:
        labels = read_labels([*source.labels, *given[1]], source.kind, texts)
    except (HeadError, UsageError) as fault:
        raise type(fault)(f"source {source.name!r}: {fault}") from fault
    keys, _ = keys_and_faults(texts)
    numbers: dict[bytes, int] = {}
    of_rows = [-1 if key is None else numbers.setdefault(key, len(numbers)) for key in keys]
    by_number = {number: text for number, text in zip(of_rows, texts, strict=True) if number >= 0}
    try:
        found, _ = collect(of_rows, None, labels, seed)
    except HeadError as fault:
        raise HeadError(f"source {source.name!r}: {fault}") from fault
    held_back: Sequence[bool] = found.held_back
    if source.validation is not None:
        own = {number for number in of_rows[:held] if number >= 0}
        held_back = [number not in own for number in found.texts.tolist()]
        if all(held_back) or not any(held_back):
            raise HeadError(f"source {source.name!r}: no text is left to validate on that is not trained on as well")
    return _Rows(labels.kind, found.values, held_back), [by_number[number] for number in found.texts.tolist()]


def _parts(held_back: Sequence[bool], settings: TrunkSettings) -> tuple[Which, Which]:
    """Numbers of the examples that are trained on and that validate, no more of them than the settings allow."""
    held = np.array(held_back, np.bool_)
    random = np.random.default_rng(settings.training.seed)
    train, back = random.permutation(np.flatnonzero(~held)), random.permutation(np.flatnonzero(held))
    return np.sort(train[: settings.most]), np.sort(back[: settings.validate])


def _as_text(text: Any, source: Source) -> Any:
    """A list of words as the text that they make; a pair as it is.

    Raises:
        UsageError: a source that reads pairs apart has a row that is no pair.
    """
    if source.kind == "tagging" and not isinstance(text, str) and text is not None:
        words = text.tolist() if isinstance(text, np.ndarray) else text
        return words_text(words) if not words_fault(words) else None
    if source.reads == APART and not (isinstance(text, tuple) and len(text) == 2):  # noqa: PLR2004
        raise UsageError(f"source {source.name!r} reads pairs apart and has {text!r:.60}, expected a pair of texts")
    return text


def sampled(module: SharedEncoder, sources: Sequence[Taught]) -> torch.Tensor:
    """Vectors of the raw encoder, `[texts, width]`, on as many texts of each source that is pooled; none of others."""
    pooled = [source for source in sources if source.objective.kind in POOLED]
    found = [torch.zeros(1, module.centre.shape[0])] if not pooled else []
    module.train(mode=False)
    with torch.inference_mode():
        for source in pooled:
            which = source.train[: max(1, _SAMPLE // len(pooled))]
            for start in range(0, len(which), 32):
                inputs = on_device(source.lessons.first.inputs(which[start : start + 32]), module)
                with precision():
                    found.append(module.vectors(**inputs).float().cpu())
    every = torch.cat(found)
    return every if len(every) > 1 else torch.cat([every - 1, every + 1])


def _run(
    module: SharedEncoder,
    sources: Sequence[Taught],
    settings: tuple[TrainingSettings, TrunkSettings],
    keep: tuple[str, Path | None],
    watch: TrunkWatch,
) -> Trained:
    training, asked = settings
    mixed, ledger = Mixed(sources), Ledger()
    latest: dict[str, float] = {}

    def prepare() -> dict[str, float]:
        for source in sources:
            latest[source.name] = learn_head(module, source)
            watch(TrunkProgress(0, 0, 0, training.epochs or 0, {}, dict(latest)))
        return dict(latest)

    def loss(logits: torch.Tensor, which: Which) -> torch.Tensor:
        source, own = mixed.placed(which)
        found = taught(source.objective, source.lessons, logits, own)
        ledger.add(source.name, float(found.detach()))
        return source.weight * found

    def validate() -> float:
        ledger.clear()
        latest.update({one.name: _score(module, one)[one.objective.primary] for one in sources})
        # Explained variance has no floor: one source of numbers that is lost would outweigh all others.
        return sum(max(score, -1.0) for score in latest.values()) / len(latest)

    def schedule(epoch: int) -> list[np.ndarray]:
        return dealt(mixed.parts, training.batch, asked.temperature, [training.seed, epoch])

    def told(now: TrainingProgress) -> None:
        watch(TrunkProgress(now.step, now.steps, now.epoch, now.epochs, dict(ledger.means), dict(latest)))

    first = prepare if asked.heads_first else None
    return train(Run(module, mixed, loss, validate, training, *keep, schedule=schedule, prepare=first), told)


def _score(module: Any, source: Taught) -> dict[str, float]:
    """Measures on a source's validation rows."""
    return source.objective.measure(source.held_back, outputs_of(module, source.lessons, source.held_back))


def report_of(module: Any, source: Taught) -> SourceScore:
    """What became of a source, by a module that was trained on it."""
    objective = source.objective
    return SourceScore(
        source.name,
        objective.kind,
        len(source.labels),
        len(source.train),
        len(source.held_back),
        objective.primary,
        _score(module, source)[objective.primary],
        objective.guess(source.train, source.held_back)[objective.primary],
    )
