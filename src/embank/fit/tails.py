"""Fitting a tail: upper layers of an encoder trained for one task on banked states."""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from embank.encode.state_loader import StateSource
from embank.encoders.torch import TransformerEncoder
from embank.errors import HeadError, UsageError
from embank.fit import Examples, FitReport, FitSettings, LabelledTask
from embank.fit.cut_trials import CutTrials, best_cut, sampled, states_at
from embank.fit.examples import EXAMPLES, pack, unpack
from embank.fit.objective import objective_for
from embank.fit.record import record_of
from embank.labels.kinds import POOLED, Kind
from embank.models.lora import export_lora
from embank.models.tail import Tail, build_tail
from embank.models.tail_design import (
    TailDesign,
    TailOptions,
    TailSettings,
    cuts_of,
    default_rate,
)
from embank.models.tail_file import StoredTail, pack_tail
from embank.recipe import ColumnName
from embank.session import Session
from embank.store.folder import Store
from embank.store.kept_texts import kept_texts
from embank.texts import Text
from embank.training.checkpoint import CheckpointFile, training_identity
from embank.training.datasets import Which
from embank.training.objectives import TaskObjective
from embank.training.settings import TrainingWatch
from embank.training.state_inputs import StateInputs
from embank.training.supervised import LabelledSplit, score, train_supervised

_TRAINING = "training"
"""The folder of a bank in which checkpoints of running trainings lie."""


def fit_tail(
    session: Session, task: LabelledTask, column: ColumnName, settings: FitSettings, watch: TrainingWatch
) -> FitReport:
    """Fit a tail on labelled texts of a bank.

    Args:
        session: of the bank.
        task: its name, labelled texts and their split; a task of that name is replaced.
        column: the states that the tail starts from.
        settings: what the user said; `tail` is given.
        watch: progress callback, called after every step.

    Raises:
        UsageError: the family cannot be cut, or the states cannot serve the kind.
        HeadError: states that can be had nowhere, or a training that went astray.
    """
    began = time.monotonic()
    examples, asked = task.examples, settings.tail or TailSettings()
    store, encoder = session.store, session.torch_encoder(column)
    states = StateSource(store, str(column), partial(session.encoder_for, column), task.contents)
    train, held_back = examples.split
    if task.kind not in POOLED and column.steps:
        raise UsageError(f"{column} keeps no state for every token; tagging and spans need states without limit")
    objective, names = _objective(store, task, train, encoder)
    rate = asked.training.rate or default_rate(asked.method, encoder.width, alone=column.layer == encoder.n_layers)
    training = replace(asked.training, rate=rate, seed=settings.seed)
    design = _design(asked, task.kind, column, objective.n_outputs, encoder.pooling)
    tail = build_tail(encoder.model, encoder.n_layers, design, training.seed)
    inputs = StateInputs(states, examples.texts, encoder.tokenizing.skip)
    data = LabelledSplit(inputs, objective, train, held_back)
    parts = {"design": design, "training": training, "column": str(column), "weights": encoder.reading.weights}
    identity = training_identity({"what": "tail", **parts, **examples.identity})
    checkpoint = CheckpointFile(store.root / _TRAINING / f"{task.name}.safetensors", identity)
    trained = train_supervised(tail, data, training, checkpoint, watch)
    scores = score(tail, data)
    report = FitReport(
        task=task.name,
        kind=task.kind,
        labels=names,
        examples=len(examples.texts),
        held_back=len(held_back),
        skipped=task.skipped,
        columns=(str(column),),
        chosen={
            "head": f"tail ({asked.method})",
            "cut": f"{column.layer} of {encoder.n_layers} layers",
            "learning rate": float(rate),
            **trained.summary,
            "states read": states.hits,
            "states computed": states.misses,
        },
        train=scores.train,
        validation=scores.validation,
        baseline=scores.baseline,
        measure=objective.primary,
        tried=trained.passes,
        seconds=time.monotonic() - began,
    )
    stored = StoredTail(design=design, seed=training.seed, labels=names, learned=scores.learned, weights=tail.state())
    files = pack_tail(stored)
    if design.method == "lora":  # once more, as peft reads it: for whoever runs the whole encoder elsewhere
        files |= exported(tail, encoder.facts.origin)
    _keep(store, report, files, examples, settings)
    checkpoint.path.unlink(missing_ok=True)
    return report


def _design(asked: TailSettings, kind: Kind, column: ColumnName, outputs: int, pooling: str) -> TailDesign:
    options = TailOptions(pooling=pooling, width=asked.width, rank=asked.rank, alpha=2 * asked.rank)
    return TailDesign(cut=column.layer, method=asked.method, kind=kind, outputs=outputs, options=options)


def exported(tail: Tail, origin: str) -> dict[str, bytes]:
    """The LoRA of a tail in peft's own files, by name."""
    with TemporaryDirectory() as folder:
        export_lora(tail.upper, Path(folder), origin)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


def choose_cut(
    session: Session, task: LabelledTask, column: ColumnName, settings: FitSettings
) -> tuple[int, dict[int, float]]:
    """Where a tail for these labels should start, and the validation scores of the trials.

    Args:
        session: of the bank.
        task: labelled texts, of which a sample is tried.
        column: of states of the encoder, at whatever layer.
        settings: what the user said.

    Raises:
        HeadError: the texts themselves can be had nowhere.
    """
    asked = settings.tail or TailSettings()
    sample = replace(task, examples=sampled(task.examples))
    examples, encoder = sample.examples, session.torch_encoder(column)
    train, held_back = examples.split
    objective, _ = _objective(session.store, sample, train, encoder)
    texts = texts_of(session.store, sample, "trials of cuts need")
    cuts = cuts_of(encoder.n_layers)
    rate = asked.training.rate or default_rate("full", encoder.width)
    trials = CutTrials(
        upper=partial(session.torch_encoder, column),
        objective=objective,
        train=train,
        held_back=held_back,
        design=TailDesign(
            cut=cuts[0],
            method="full",
            kind=task.kind,
            outputs=objective.n_outputs,
            options=TailOptions(pooling=encoder.pooling),
            layers=1,
        ),
        training=replace(asked.training, rate=rate, seed=settings.seed),
    )
    found = states_at(encoder, texts, cuts)
    scores = {cut: trials.score(cut, found[cut]) for cut in cuts}
    return best_cut(scores), scores


def texts_of(store: Store, task: LabelledTask, why: str) -> list[Text]:
    """The texts themselves: as the user gave them, or as the bank keeps them.

    Raises:
        HeadError: some are neither given nor kept.
    """
    wanted = task.examples.texts.tolist()
    texts = {**kept_texts(store, wanted), **task.contents}
    lost = [number for number in wanted if number not in texts]
    if lost:
        raise HeadError(
            f"{len(lost)} of the labelled texts are not kept in the bank, and {why} the texts themselves: give them "
            "(--text), or encode with --keep-text"
        )
    return [texts[number] for number in wanted]


def _objective(
    store: Store, task: LabelledTask, train: Which, encoder: TransformerEncoder
) -> tuple[TaskObjective, tuple[str, ...]]:
    contents = [] if task.kind in POOLED else texts_of(store, task, f"{task.kind} needs")
    return objective_for(task.labels, contents, train, encoder)


def _keep(
    store: Store, report: FitReport, files: Mapping[str, bytes], examples: Examples, settings: FitSettings
) -> None:
    record = {**record_of(report, settings, store.catalogue.columns()), "states": report.columns[0]}
    with store.writer() as writer:
        writer.set_task(report.task, record, {**files, EXAMPLES: pack(examples)})


def kept_examples(store: Store, folder: str) -> Examples:
    """The examples of a task, with their split."""
    return unpack((store.root / Path(folder) / EXAMPLES).read_bytes())
