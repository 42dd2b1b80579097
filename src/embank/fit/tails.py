"""Fitting a tail: upper layers of an encoder trained for one task on banked states."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from embank.arrays import TextIds
from embank.errors import HeadError, UsageError
from embank.fit import Examples, FitReport, FitSettings
from embank.fit.cut_trials import best_cut, cuts_of, sampled, states_at, trial_scores
from embank.fit.examples import EXAMPLES, collect, pack, unpack
from embank.fit.objective import identity_of, measure_of, objective_for
from embank.fit.record import record_of
from embank.labels.kinds import POOLED, Kind
from embank.labels.read import Labels
from embank.models.tail_design import TailDesign, TailOptions
from embank.optional import load
from embank.recipe import ColumnName
from embank.store.folder import Store
from embank.store.kept_texts import kept_texts
from embank.texts import Text
from embank.training.settings import TailSettings, TrainingWatch, default_rate

_TRAINING = "training"
"""The folder of a bank in which checkpoints of running trainings lie."""


@dataclass(frozen=True, eq=False)
class TailTools:
    """What a bank lends to the fit of a tail.

    Attributes:
        column: the states that it starts from.
        upper: loads the encoder once more, in torch and float32, for the tail to take apart.
        lower: opens the encoder for states that are not banked.
        contents: texts by number, where the user gave them.
        watch: told after every step.
    """

    column: ColumnName
    upper: Callable[[], Any]
    lower: Callable[[Sequence[Text]], Any]
    contents: Mapping[int, Text]
    watch: TrainingWatch


def fit_tail(
    store: Store, name: str, labels: Labels, numbers: TextIds, settings: FitSettings, tools: TailTools
) -> FitReport:
    """Fit a tail on texts of the bank.

    Args:
        store: the bank.
        name: of the task; one of that name is replaced.
        labels: one a text.
        numbers: of the texts; UNKNOWN where there is none.
        settings: what the user said; `tail` is given.
        tools: what the bank lends.

    Raises:
        UsageError: the family cannot be cut, or the states cannot serve the kind.
        HeadError: too few labels, states that can be had nowhere, or a training that went astray.
    """
    examples, skipped = collect(numbers.tolist(), None, labels, settings.seed)
    return fit_examples(store, name, (labels.kind, examples), settings, tools, skipped)


def fit_examples(
    store: Store,
    name: str,
    task: tuple[Kind, Examples],
    settings: FitSettings,
    tools: TailTools,
    skipped: Mapping[str, int],
) -> FitReport:
    """Fit a tail on examples with their split; see `fit_tail`."""
    began = time.monotonic()
    kind, examples = task
    tail_settings = settings.tail or TailSettings()
    # Imported here and not above: these need torch, and reading a bank must not.
    modules = load("embank.models.tail", "torch")
    learning = load("embank.training.fit", "torch")
    sources = load("embank.encode.state_loader", "torch")
    storage = load("embank.models.tail_file", "torch")
    encoder = tools.upper()
    source = sources.StateSource(store, str(tools.column), tools.lower, tools.contents)
    held = np.array(examples.held_back, np.bool_)
    train, back = np.flatnonzero(~held), np.flatnonzero(held)
    objective, names = _objective(store, kind, examples, (train, encoder, tools))
    training = tail_settings.training
    alone = tools.column.layer == encoder.n_layers
    rate = training.rate or default_rate(tail_settings.method, encoder.width, alone=alone)
    training = replace(training, rate=rate, seed=settings.seed)
    options = TailOptions(
        pooling=encoder.pooling, width=tail_settings.width, rank=tail_settings.rank, alpha=2 * tail_settings.rank
    )
    design = TailDesign(tools.column.layer, tail_settings.method, kind, objective.n_outputs, options)
    tail = modules.build_tail(encoder.model, encoder.n_layers, design, training.seed)
    lessons = learning.StateLessons(source, examples.texts, objective, encoder.tokenizing.skip)
    identity = identity_of([asdict(design), asdict(training), str(tools.column), encoder.reading.weights], examples)
    checkpoint = store.root / _TRAINING / f"{name}.safetensors"
    trained = learning.learn(
        tail, learning.Assignment(lessons, objective, train, back), training, (identity, checkpoint), tools.watch
    )
    on_train, on_back = (learning.outputs_of(tail, lessons, rows) for rows in (train, back))
    learned = objective.calibrated(back, on_back)
    measure = measure_of(objective, learned)
    report = FitReport(
        name,
        kind,
        names,
        len(examples.texts),
        len(back),
        skipped,
        (str(tools.column),),
        _chosen(tail_settings, tools.column, encoder.n_layers, training, trained, source),
        measure(train, on_train),
        measure(back, on_back),
        objective.guess(train, back),
        objective.primary,
        {f"pass {number}": score for number, score in enumerate(trained.position.scores, start=1)},
        time.monotonic() - began,
    )
    stored = storage.StoredTail(design, training.seed, names, learned, tail.state())
    files = storage.pack_tail(stored)
    if design.method == "lora":  # once more, as peft reads it: for whoever runs the whole encoder elsewhere
        files |= exported(tail, encoder.facts.origin)
    _keep(store, report, files, examples, settings)
    checkpoint.unlink(missing_ok=True)
    return report


def exported(tail: Any, origin: str) -> dict[str, bytes]:
    """The LoRA of a tail in peft's own files, by name."""
    lora = load("embank.models.lora", "torch")
    with TemporaryDirectory() as folder:
        lora.export_lora(tail.upper, Path(folder), origin)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


def choose_cut(
    store: Store, labels: Labels, numbers: TextIds, settings: FitSettings, tools: TailTools
) -> tuple[int, dict[int, float]]:
    """Where a tail for these labels should start, and the validation scores of the trials.

    Raises:
        HeadError: too few labels, or the texts themselves can be had nowhere.
    """
    tail = settings.tail or TailSettings()
    examples = sampled(collect(numbers.tolist(), None, labels, settings.seed)[0])
    encoder = tools.upper()
    train = np.flatnonzero(~np.array(examples.held_back, np.bool_))
    objective, _ = _objective(store, labels.kind, examples, (train, encoder, tools))
    texts = texts_of(store, examples.texts, tools, "trials of cuts need")
    cuts = cuts_of(encoder.n_layers)
    found = states_at(encoder, texts, cuts)
    states = {cut: dict(zip(examples.texts.tolist(), found[cut], strict=True)) for cut in cuts}
    rate = tail.training.rate or default_rate("full", encoder.width)
    training = replace(tail.training, rate=rate, seed=settings.seed)
    design = TailDesign(cuts[0], "full", labels.kind, objective.n_outputs, TailOptions(pooling=encoder.pooling))
    scores = trial_scores(tools.upper, states, (objective, examples, design), training)
    return best_cut(scores), scores


def texts_of(store: Store, numbers: TextIds, tools: TailTools, why: str) -> list[Text]:
    """The texts themselves: as the user gave them, or as the bank keeps them.

    Raises:
        HeadError: some are neither given nor kept.
    """
    wanted = numbers.tolist()
    texts = {**kept_texts(store, wanted), **tools.contents}
    lost = [number for number in wanted if number not in texts]
    if lost:
        raise HeadError(
            f"{len(lost)} of the labelled texts are not kept in the bank, and {why} the texts themselves: give them "
            "(--text), or encode with --keep-text"
        )
    return [texts[number] for number in wanted]


def _objective(
    store: Store, kind: Kind, examples: Examples, known: tuple[np.ndarray, Any, TailTools]
) -> tuple[Any, tuple[str, ...]]:
    train, encoder, tools = known
    contents: list[Text] = []
    if kind not in POOLED:
        if tools.column.steps:
            raise UsageError(
                f"{tools.column} keeps no state for every token; tagging and spans need states without limit"
            )
        contents = texts_of(store, examples.texts, tools, f"{kind} needs")
    return objective_for((kind, examples.values), contents, train, encoder)


def _chosen(
    settings: TailSettings, column: ColumnName, layers: int, training: Any, trained: Any, source: Any
) -> dict[str, Any]:
    position = trained.position
    return {
        "head": f"tail ({settings.method})",
        "cut": f"{column.layer} of {layers} layers",
        "learning rate": float(training.rate),
        "passes": f"{position.best_epoch} of {position.epoch}",
        "steps": position.step,
        "training seconds": round(position.seconds, 1),
        "states read": source.hits,
        "states computed": source.misses,
    }


def _keep(
    store: Store, report: FitReport, files: Mapping[str, bytes], examples: Examples, settings: FitSettings
) -> None:
    record = {**record_of(report, settings, store.catalogue.columns()), "states": report.columns[0]}
    with store.writer() as writer:
        writer.set_task(report.task, record, {**files, EXAMPLES: pack(examples)})


def kept_examples(store: Store, folder: str) -> Examples:
    """The examples of a task, with their split."""
    return unpack((store.root / Path(folder) / EXAMPLES).read_bytes())
