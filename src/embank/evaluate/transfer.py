"""Transfer to tasks that training has not seen: leave a task out, train a multi-task encoder, score its frozen columns.

It is compared with the raw encoder, which is the control, and with a multi-task encoder that has seen the task's
training rows (2004.14287).
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from embank.atomic import write_durably
from embank.encode import blocks_of
from embank.encode.options import BankOptions
from embank.encoders.load import DEFAULT
from embank.errors import UsageError
from embank.fit import FitSettings
from embank.fit.fit import LabelledTexts, fit
from embank.fit.source_tasks import Source
from embank.fit.targets import targets_of
from embank.labels.kinds import APART
from embank.labels.read import read_labels
from embank.labels.words import words_fault, words_text
from embank.metrics.classification import measures
from embank.metrics.tagging import tagging_measures
from embank.models.tail_settings import TailSettings
from embank.multitask import MultitaskReport
from embank.predict.predict import Predictor
from embank.recipe import STATES
from embank.session import Session
from embank.store.folder import Store
from embank.texts import Text, keys_and_faults

_HELD_OUT = 0.25
"""The share of a task's rows that is scored where no test rows are given."""

TrainEncoder = Callable[[Sequence[Source], Path], MultitaskReport]
"""Trains a multi-task encoder on sources and writes it as a folder."""


@dataclass(frozen=True, eq=False)
class Target:
    """A task that representations are tried on.

    Attributes:
        source: its training rows.
        test: texts and labels that are scored; None: a quarter of the training rows is set aside before all else.
    """

    source: Source
    test: tuple[Sequence[Any], Sequence[Any]] | None = None

    def divided(self, seed: int) -> "Target":
        """The target with test rows: its own, or some of its training rows, which the source then lacks."""
        if self.test is not None:
            return self
        own = self.source
        keys, _ = keys_and_faults(_as_texts(own.texts, own.kind))
        distinct = sorted({key for key in keys if key is not None})
        chosen = np.random.default_rng(seed).random(len(distinct)) < _HELD_OUT
        apart = {key for key, out in zip(distinct, chosen.tolist(), strict=True) if out}
        rows = [(key in apart, text, label) for key, text, label in zip(keys, own.texts, own.labels, strict=True)]
        train, test = (
            ([text for out, text, _ in rows if out is wanted], [label for out, _, label in rows if out is wanted])
            for wanted in (False, True)
        )
        return Target(replace(own, texts=train[0], labels=train[1]), test)


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What representations did for one task that was left out.

    Attributes:
        task: its name.
        measure: which counts.
        raw: score of the encoder as it was, on test rows.
        without: of a multi-task encoder that has not seen the task.
        seen: of one that was trained on its training rows as well; None without `TransferSettings.seen`.
        rows: training rows, and test rows.
    """

    task: str
    measure: str
    raw: float
    without: float
    seen: float | None
    rows: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class TransferSettings:
    """How representations are tried.

    Attributes:
        codec: of the default columns.
        seed: of splits.
        seen: train an encoder on all tasks as well.
        encoder: the raw one.
        options: how encoders read and compute.
    """

    codec: str = "float16"
    seed: int = 0
    seen: bool = True
    encoder: str = DEFAULT
    options: BankOptions = field(default_factory=BankOptions)


def evaluate_transfer(
    targets: Sequence[Target],
    groups: Sequence[Sequence[str]],
    train: TrainEncoder,
    settings: TransferSettings,
    work: Path,
) -> list[Transfer]:
    """Train without each group of tasks in turn, and try the frozen representation on them.

    A text that stands in the test rows of a task that is left out is taken out of every source, whatever its case,
    spacing and punctuation there: otherwise an encoder is scored on what it was trained on. What is finished lies in
    `work`: encoders as folders, scores as JSON. Called again, it goes on where it was.

    Args:
        targets: all tasks; those that are not left out are sources every time.
        groups: names of tasks that are left out together; a group of one is the strict way.
        train: trains a multi-task encoder.
        settings: precision, seed, whether to train on all tasks as well.
        work: a folder for encoders and scores.

    Raises:
        UsageError: a group names an unknown task, or leaves no source.
    """
    divided = {target.source.name: target.divided(settings.seed) for target in targets}
    for name in (name for group in groups for name in group):
        if name not in divided:
            raise UsageError(f"unknown source {name!r}; choose from: {', '.join(divided)}")
    trial = _Trial(train, settings, work)
    found = []
    everything = trial.trained("all", list(divided.values())) if settings.seen else None
    for group in groups:
        scored = {key for name in group for key in scored_keys(divided[name])}
        rest = [without_texts(target, scored) for name, target in divided.items() if name not in group]
        rest = [target for target in rest if len(target.source.texts)]
        if not rest:
            raise UsageError(f"leaving out {', '.join(group)} leaves no source to train on")
        folder = trial.trained("without-" + "+".join(sorted(group)), rest)
        for name in group:
            target = divided[name]
            measure, raw = trial.score(None, target)
            _, without = trial.score(folder, target)
            seen = trial.score(everything, target)[1] if everything is not None else None
            rows = len(target.source.texts), len(_test_texts(target))
            found.append(Transfer(task=name, measure=measure, raw=raw, without=without, seen=seen, rows=rows))
    return found


def _test_texts(target: Target) -> Sequence[Any]:
    return target.test[0] if target.test is not None else ()


def scored_keys(target: Target) -> set[str]:
    """Keys of a target's test texts that leave case, spacing and punctuation out of account."""
    return {key for text in _test_texts(target) for key in _bare(text)}


def without_texts(target: Target, scored: set[str]) -> Target:
    """A target whose training rows have none of the texts that these keys (`scored_keys`) stand for."""
    own = target.source
    kept = [at for at, text in enumerate(own.texts) if scored.isdisjoint(_bare(text))]
    texts, labels = [own.texts[at] for at in kept], [own.labels[at] for at in kept]
    return replace(target, source=replace(own, texts=texts, labels=labels))


def _bare(text: Text | Sequence[str] | None) -> set[str]:
    """Keys of a text: its letters and digits; of each half of a pair, of the words of a list joined."""
    halves = text if isinstance(text, tuple) else (" ".join(map(str, text)),) if isinstance(text, list) else (text,)
    found = {"".join(sign for sign in half.casefold() if sign.isalnum()) for half in halves if isinstance(half, str)}
    return found - {""}


@dataclass(frozen=True)
class _Trial:
    """Encoders and scores, each made once and kept."""

    train: TrainEncoder
    settings: TransferSettings
    work: Path

    def trained(self, name: str, targets: Sequence[Target]) -> Path:
        """The folder of an encoder that was trained on all of these."""
        folder = self.work / name.replace("/", "_")
        if not folder.is_dir():
            self.work.mkdir(parents=True, exist_ok=True)
            self.train([target.source for target in targets], folder)
        return folder

    def score(self, trained: Path | None, target: Target) -> tuple[str, float]:
        """The score of a trained encoder, or of the raw one, on a target."""
        which = "raw" if trained is None else trained.name
        kept = self.work / "scores" / f"{target.source.name.replace('/', '_')}--{which}--{self.settings.codec}.json"
        if not kept.is_file():
            encoder = self.settings.encoder if trained is None else str(trained)
            measure, score = frozen_score(self.work / "bank", encoder, target, self.settings)
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_durably(kept, json.dumps([measure, score]).encode())
        measure, score = json.loads(kept.read_text())
        return measure, float(score)


def frozen_score(work: Path, encoder: str, target: Target, settings: TransferSettings) -> tuple[str, float]:
    """The measure that counts, and the score on test rows of a head on an encoder's frozen default columns.

    Tags are read off the states of the last layer by a linear layer.

    Args:
        work: a folder for a bank, which is removed afterwards.
        encoder: as for `embank encode --encoder`.
        target: with test rows.
        settings: precision and seed.

    Raises:
        UsageError: no test rows.
        HeadError: too few labels, or test rows without any.
    """
    if not target.test or not len(target.test[0]):
        raise UsageError(f"target {target.source.name!r} has no test rows")
    source = target.source
    kind = read_labels(source.labels, source.kind, source.texts).kind
    shutil.rmtree(work, ignore_errors=True)
    try:
        with Store.create(work) as store:
            session = Session(store, settings.options)
            if kind == "tagging":
                return _tagged(session, encoder, target, settings)
            return _classified(session, encoder, target, settings)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _classified(session: Session, encoder: str, target: Target, settings: TransferSettings) -> tuple[str, float]:
    source, test = target.source, target.test or ((), ())
    apart = source.reads == APART
    firsts, seconds = _halves(source.texts) if apart else (list(source.texts), None)
    test_firsts, test_seconds = _halves(test[0]) if apart else (list(test[0]), None)
    every = [*firsts, *(seconds or ()), *test_firsts, *(test_seconds or ())]
    session.fill(session.wanted([], encoder, settings.codec), blocks_of(every, None))
    fitting = FitSettings(kind=source.kind, reads=source.reads, seed=settings.seed)
    report = fit(session, "target", LabelledTexts(list(source.labels), firsts, seconds=seconds), fitting)
    guess = _guesses(session, test_firsts, test_seconds)
    labels = read_labels(test[1], report.kind)
    pairs = [(own, one) for own, one in zip(labels.values, guess, strict=True) if own is not None and one is not None]
    kind = labels.kind
    y, _ = targets_of(kind, [own for own, _ in pairs], report.labels)
    predicted, _ = targets_of(kind, [one if kind != "multi" else tuple(one) for _, one in pairs], report.labels)
    return report.measure, measures(y, predicted, kind)[report.measure]


def _tagged(session: Session, encoder: str, target: Target, settings: TransferSettings) -> tuple[str, float]:
    source, test = target.source, target.test or ((), ())
    texts, test_texts = (_as_texts(some, "tagging") for some in (source.texts, test[0]))
    located = session.encoders.find(encoder)
    column = f"{located.name}/{located.layers}/{STATES}@float16"
    session.fill(session.wanted([column], encoder, None), blocks_of([*texts, *test_texts], None))
    fitting = FitSettings(kind="tagging", columns=(column,), seed=settings.seed, tail=TailSettings(cut=located.layers))
    fit(session, "target", LabelledTexts(list(source.labels), texts), fitting)
    guess = _guesses(session, test_texts)
    truth = read_labels(test[1], "tagging", test_texts).values
    rows = [(own, one or ["O"] * len(own)) for own, one in zip(truth, guess, strict=True) if own]
    found = tagging_measures([own for own, _ in rows], [one for _, one in rows])
    measure = "entity_f1" if "entity_f1" in found else "accuracy"
    return measure, found[measure]


def _guesses(session: Session, texts: Sequence[Any], seconds: Sequence[Any] | None = None) -> list[Any]:
    """Predictions of the fitted task."""
    others = None if seconds is None else blocks_of(seconds, None)
    predictor = Predictor(session, ["target"], apart=seconds is not None)
    return [one for table in predictor.tables(blocks_of(texts, None), others) for one in table["target"].to_pylist()]


def _halves(pairs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _as_texts(texts: Sequence[Any], kind: str) -> list[Any]:
    """Lists of words as the texts that they make; all else as it is."""
    if kind != "tagging":
        return [tuple(text) if isinstance(text, list) else text for text in texts]
    return [text if isinstance(text, str) or words_fault(text) else words_text(text) for text in texts]
