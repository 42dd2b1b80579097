"""Tails of a bank: upper layers of an encoder, trained for one task on banked states; fitted, and fitted again."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from embank.arrays import TextIds
from embank.codecs import codec_class
from embank.encode.state_loader import StateSource
from embank.errors import HeadError, UsageError
from embank.fit import Examples, FitSettings, LabelledTask
from embank.fit.cut_trials import choose_cut
from embank.fit.examples import EXAMPLES, collect, kept_examples, pack
from embank.fit.fit import LabelledTexts
from embank.fit.objective import task_objective
from embank.fit.report import FitReport, record_of
from embank.labels.kinds import POOLED, Kind
from embank.labels.read import Labels, read_labels
from embank.labels.words import words_fault, words_text
from embank.models.lora import export_lora
from embank.models.tail import Tail, build_tail
from embank.models.tail_file import StoredTail, pack_tail
from embank.models.tail_settings import TailDesign, TailOptions, TailSettings, default_rate
from embank.recipe import STATES, ColumnName
from embank.session import Session
from embank.store import StoredTask
from embank.store.folder import Store
from embank.texts import Text
from embank.training.checkpoint import CheckpointFile, training_identity
from embank.training.settings import TrainingSettings, TrainingWatch
from embank.training.state_inputs import StateInputs
from embank.training.supervised import LabelledSplit, score, train_supervised

_TRAINING = "training"
"""The folder of a bank in which checkpoints of running trainings lie."""


def fit_new_tail(
    session: Session, task: str, given: LabelledTexts, settings: FitSettings, watch: TrainingWatch
) -> FitReport:
    """Fit a tail; states of labelled texts that the bank lacks are banked first, as far as the budget goes.

    Args:
        session: of the bank.
        task: its name.
        given: labels, and their texts or ids.
        settings: with `tail`.
        watch: progress callback, called after every step.

    Raises:
        UsageError: settings or columns that no tail can have.
        HeadError: too few labels, states that can be had nowhere, or a training that went astray.
    """
    if settings.class_weight != "none":
        raise UsageError("a tail weighs all classes alike: leave out the class weighting, or fit a head on vectors")
    parsed = read_labels(given.labels, settings.kind, given.texts)
    notes: dict[str, float] = {}
    if settings.tail is not None and settings.tail.trials:
        settings, notes = _with_cut(session, parsed, given, settings)
    column = _states_column(session, settings)
    if parsed.kind not in POOLED and column.steps:
        raise UsageError(f"{column} keeps no state for every token; tagging and spans need states without limit")
    numbers, contents = _numbers(session, given, [*session.own_columns(), column], parsed.kind)
    labelled = _labelled(task, parsed, numbers, contents, settings)
    report = fit_tail(session, labelled, column, settings, watch)
    return replace(report, tried={**notes, **report.tried})


def refit_tail(session: Session, task: StoredTask, watch: TrainingWatch) -> FitReport:
    """Fit a tail again on the examples that the bank kept.

    Raises:
        HeadError: too few of its texts are left.
    """
    recorded = dict(task.record["settings"])
    tail = dict(recorded.pop("tail"))
    tail["training"] = TrainingSettings(**tail["training"])
    settings = FitSettings(**{**recorded, "columns": tuple(recorded["columns"]), "tail": TailSettings(**tail)})
    column = ColumnName.parse(task.record["states"])
    examples, gone = _left(session.store, kept_examples(session.store, task))
    labelled = LabelledTask(name=task.name, kind=task.record["kind"], examples=examples, skipped=gone)
    return fit_tail(session, labelled, column, settings, watch)


def fit_tail(
    session: Session, task: LabelledTask, column: ColumnName, settings: FitSettings, watch: TrainingWatch
) -> FitReport:
    """Fit a tail on labelled texts of a bank.

    Args:
        session: of the bank.
        task: its name, labelled texts and their split; a task of that name is replaced.
        column: the states that the tail starts from.
        settings: of the fit, with `tail`.
        watch: progress callback, called after every step.

    Raises:
        UsageError: the family cannot be cut, or the states cannot serve the kind.
        HeadError: states that are neither stored nor computable, or a training that went astray.
    """
    began = time.monotonic()
    examples, tail_settings = task.examples, settings.tail or TailSettings()
    store, encoder = session.store, session.encoders.torch_encoder(column)
    states = StateSource(session.encoders, str(column), task.contents)
    train, held_back = examples.split
    objective, names = task_objective(store, task, train, encoder)
    rate = tail_settings.training.rate or default_rate(
        tail_settings.method, encoder.width, alone=column.layer == encoder.n_layers
    )
    training = replace(tail_settings.training, rate=rate, seed=settings.seed)
    design = _design(tail_settings, task.kind, column, objective.n_outputs, encoder.pooling)
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
            "head": f"tail ({tail_settings.method})",
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
    files = {**pack_tail(stored), **_exported(tail, design, encoder.facts.origin), EXAMPLES: pack(examples)}
    record = {**record_of(report, settings, store.catalogue.columns()), "states": str(column)}
    with store.writer() as writer:
        writer.set_task(task.name, record, files)
    checkpoint.path.unlink(missing_ok=True)
    return report


def _design(settings: TailSettings, kind: Kind, column: ColumnName, outputs: int, pooling: str) -> TailDesign:
    options = TailOptions(pooling=pooling, width=settings.width, rank=settings.rank, alpha=2 * settings.rank)
    return TailDesign(cut=column.layer, method=settings.method, kind=kind, outputs=outputs, options=options)


def _exported(tail: Tail, design: TailDesign, origin: str) -> dict[str, bytes]:
    """The LoRA of a tail in peft's own files, by name, for programs that run the whole encoder."""
    if design.method != "lora":
        return {}
    with TemporaryDirectory() as folder:
        export_lora(tail.upper, Path(folder), origin)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


def _with_cut(
    session: Session, labels: Labels, given: LabelledTexts, settings: FitSettings
) -> tuple[FitSettings, dict[str, float]]:
    """Settings with the cut that short trials chose, and the trials' scores."""
    tail = settings.tail or TailSettings()
    if settings.columns or tail.cut is not None:
        raise UsageError("--tail auto chooses where to cut: leave out --cut and --columns")
    own = session.own_columns() or session.wanted([], None, None)
    (column,) = session.wanted([f"{own[0].encoder}/1/{STATES}"], None, None)
    numbers, contents = _numbers(session, given, own, labels.kind)
    cut, scores = choose_cut(session, _labelled("", labels, numbers, contents, settings), column, settings)
    chosen = replace(settings, tail=replace(tail, cut=cut, trials=False))
    return chosen, {f"one-layer tail at layer {layer}": score for layer, score in scores.items()}


def _numbers(
    session: Session, given: LabelledTexts, columns: Sequence[ColumnName], kind: Kind
) -> tuple[TextIds, dict[int, Text]]:
    """Numbers of the labelled texts, which are banked first where they lack one of the columns, and the texts."""
    if given.texts is None:
        return session.numbers_of_ids(given.ids or []), {}
    texts = [_as_text(text, kind) for text in given.texts]
    # where words and answers stand is the text's own
    return session.numbered(texts, columns, keep_text=kind not in POOLED)


def _left(store: Store, examples: Examples) -> tuple[Examples, dict[str, int]]:
    """Examples whose texts have not been forgotten, and how many have been."""
    left = np.flatnonzero(np.isin(examples.texts, store.catalogue.text_numbers()))
    held = [bool(examples.held_back[at]) for at in left.tolist()]
    if all(held) or not any(held):
        raise HeadError("too few of its texts are left in the bank to fit it again: fit it on new labels")
    gone = len(examples.texts) - len(left)
    remaining = Examples(examples.texts[left], None, [examples.values[at] for at in left.tolist()], held)
    return remaining, {"text not in the bank": gone} if gone else {}


def _labelled(
    name: str, labels: Labels, numbers: TextIds, contents: Mapping[int, Text], settings: FitSettings
) -> LabelledTask:
    """Labels with the bank's numbers of their texts, UNKNOWN where it has none, as examples with their split."""
    examples, skipped = collect(numbers.tolist(), None, labels, settings.seed)
    return LabelledTask(name=name, kind=labels.kind, examples=examples, skipped=skipped, contents=contents)


def _states_column(session: Session, settings: FitSettings) -> ColumnName:
    """Which column of states a tail starts from.

    Of several, the one with the most texts; then the highest layer, which leaves the least to run; then the finest
    codec. A bank without any gets a new one at half of the depth.

    Raises:
        UsageError: several columns were named, or one of vectors.
    """
    tail = settings.tail or TailSettings()
    if settings.columns:
        named = [ColumnName.parse(name) for name in settings.columns]
        if len(named) != 1 or not named[0].is_states:
            found = ", ".join(settings.columns)
            raise UsageError(f"a tail reads one column of states, such as minilm/3/states@float16, not {found}")
        if tail.cut not in (None, named[0].layer):
            raise UsageError(f"{named[0]} has the states of layer {named[0].layer}, and the cut is {tail.cut}")
        (column,) = session.wanted([str(named[0])], None, None)
        return column
    there = [ColumnName.parse(name) for name in session.store.catalogue.columns()]
    states = [name for name in there if name.is_states and tail.cut in (None, name.layer) and not name.steps]
    if states:
        rows = {name: session.store.reader(str(name)).n_rows for name in states}
        return min(states, key=lambda name: (-rows[name], -name.layer, -codec_class(name.codec).bits_per_number))
    own = session.own_columns()
    encoder = own[0].encoder if own else session.encoders.find(None).name
    return session.states_column(encoder, tail.cut)


def _as_text(text: Text | Sequence[str] | np.ndarray | None, kind: Kind) -> Text | Sequence[str] | np.ndarray | None:
    """A list of words as the text that they make, and a list of question and context as the pair that they are."""
    if isinstance(text, np.ndarray):
        text = text.tolist()
    if kind == "tagging" and isinstance(text, list) and not words_fault(text):
        return words_text(text)
    return tuple(text) if kind == "span" and isinstance(text, list) and len(text) == 2 else text  # noqa: PLR2004
