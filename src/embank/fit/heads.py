"""Heads: columns and estimator are chosen on training rows, the head is fitted on all rows, and kept in the bank."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import joblib
import numpy as np
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from embank.arrays import Vectors
from embank.errors import HeadError, UsageError
from embank.fit import Examples, FitSettings, LabelledTask
from embank.fit.column_screening import gather
from embank.fit.column_selection import Fitted, LabelledColumns, Selection, SelectionSettings, select
from embank.fit.examples import EXAMPLES, kept_examples, pack
from embank.fit.report import FitReport, record_of
from embank.fit.targets import targets_of
from embank.heads import paired
from embank.heads.mlp import MLPHead
from embank.heads.storage import pack_head
from embank.labels.kinds import Kind
from embank.metrics.classification import PRIMARY, baseline, measures
from embank.recipe import ColumnName
from embank.store.folder import Store
from embank.store.vectors import codec_of, decoded

_WORTH_A_THREAD = 4_000_000
"""Numbers in the design matrix for each BLAS thread: with fewer, threads wait for each other longer than they work, and
on a machine with other work a hundred times longer."""


def refit_head(store: Store, name: str) -> FitReport:
    """Fit a task again, on the labels and the split that the bank kept.

    Columns that were named are read again where the bank still has them; otherwise validation chooses.

    Raises:
        UsageError: unknown task.
        HeadError: too few of its texts are left.
    """
    tasks = store.catalogue.tasks()
    if name not in tasks:
        raise UsageError(f"{store.root} has no task {name!r}; it has: {', '.join(tasks) or 'none yet'}")
    record = tasks[name].record
    task = LabelledTask(name=name, kind=record["kind"], examples=kept_examples(store, tasks[name]), skipped={})
    there = store.catalogue.columns()
    named = tuple(column for column in record["settings"]["columns"] if column in there)
    return fit_head(store, task, FitSettings(**{**record["settings"], "kind": record["kind"], "columns": named}))


def fit_head(store: Store, task: LabelledTask, settings: FitSettings) -> FitReport:
    """Fit a head on labelled texts of a bank, and keep it; a task of that name is replaced.

    Raises:
        UsageError: unknown column or class weighting.
        HeadError: one class only, or no column that has the texts.
    """
    began = time.monotonic()
    kind, examples = task.kind, task.examples
    columns, whole = _columns(store, examples, settings.columns)
    lost = len(whole) - int(whole.sum())
    y, labels = targets_of(kind, [value for value, there in zip(examples.values, whole, strict=True) if there])
    held = np.array(examples.held_back, np.bool_)[whole]
    if kind == "single" and len(set(y[~held].tolist())) < 2:  # noqa: PLR2004 - two classes
        raise HeadError(
            f"task {task.name!r}: all rows that may be trained on have the label {y[~held][0]!r}; add others"
        )
    chosen = SelectionSettings(
        columns="all" if settings.columns else "pruned", class_weight=_weighting(settings.class_weight)
    )
    selection, final = best_head(columns, y, held, kind, chosen)
    read = gather(columns, selection.names)
    scores = [measures(y[rows], selection.estimator.predict(read[rows]), kind) for rows in (~held, held)]
    report = FitReport(
        task=task.name,
        kind=kind,
        labels=labels,
        examples=len(y),
        held_back=int(held.sum()),
        skipped={**task.skipped, **({"no row in these columns": lost} if lost else {})},
        columns=selection.names,
        chosen=_chosen(final),
        train=scores[0],
        validation=scores[1],
        baseline=baseline(y[~held], y[held], kind),
        measure=PRIMARY[kind],
        tried={
            f"{trial.estimator} on {' '.join(trial.names)}, {trial.rows}": trial.score for trial in selection.trials
        },
        seconds=time.monotonic() - began,
    )
    record = record_of(report, settings, store.catalogue.columns())
    with store.writer() as writer:
        writer.set_task(task.name, record, {**pack_head(final.serve(labels)), EXAMPLES: pack(examples)})
    return report


def best_head(
    columns: Mapping[str, Vectors], y: np.ndarray, held: np.ndarray, kind: Kind, settings: SelectionSettings
) -> tuple[Selection, Fitted]:
    """Choose columns and estimator on training rows, then fit what was chosen on all of them.

    Args:
        columns: decoded vectors `[texts, width]` by name.
        y: labels `[texts]`, a 0/1 matrix `[texts, labels]`, or numbers `[texts]`.
        held: which rows are held back for choices, `[texts]`.
        kind: of the task.
        settings: how thoroughly to choose.

    Raises:
        HeadError: the training rows cannot be learnt from.
    """
    train = {column: vectors[~held] for column, vectors in columns.items()}
    back = {column: vectors[held] for column, vectors in columns.items()}
    numbers = sum(vectors.size for vectors in columns.values())
    with threadpool_limits(max(1, min(int(joblib.cpu_count()), numbers // _WORTH_A_THREAD)), user_api="blas"):
        selection = select(train, y[~held], kind, validation=LabelledColumns(back, y[held]), settings=settings)
        return selection, _refitted(selection.estimator, gather(columns, selection.names), y)


def _weighting(word: str) -> Literal["balanced"] | None:
    if word not in ("none", "balanced"):
        raise UsageError(f"unknown class weighting {word!r}; choose from: none, balanced")
    return "balanced" if word == "balanced" else None


def _columns(store: Store, examples: Examples, wanted: Sequence[str]) -> tuple[dict[str, Vectors], np.ndarray]:
    """Decoded vectors of the columns to choose from, for the examples that have a row in all of them."""
    known = store.catalogue.columns()
    if not known:
        raise HeadError(f"{store.root} has no columns yet: encode texts first, with 'embank encode'")
    names = [str(ColumnName.parse(name)) for name in wanted]
    names = names or [name for name, column in known.items() if not column.is_ragged]
    if not names:
        raise HeadError(f"{store.root} has states and no vectors: encode vectors too, or fit a tail (--tail)")
    for name in names:
        store.column(name)
    readers = {name: store.reader(name) for name in names}
    pair = [examples.texts] if examples.seconds is None else [examples.texts, examples.seconds]
    there = {name: np.all([reader.has(numbers) for numbers in pair], axis=0) for name, reader in readers.items()}
    if not wanted:  # a column that was begun and not filled must not take examples away
        most = max(int(mask.sum()) for mask in there.values())
        names = [name for name in names if int(there[name].sum()) == most]
    whole = np.all([there[name] for name in names], axis=0)
    if not whole.any():
        raise HeadError(f"none of the labelled texts has a row in {', '.join(names)}: encode them first")
    vectors = {}
    for name in names:
        codec = codec_of(store, known[name])
        halves = [decoded(readers[name], codec, numbers[whole]) for numbers in pair]
        vectors[name] = paired(*halves) if len(halves) > 1 else halves[0]
    return vectors, whole


def _refitted(estimator: Fitted, X: Vectors, y: np.ndarray) -> Fitted:
    """The chosen estimator, with what was chosen, on all rows: the held-back ones have done their work."""
    again: Fitted = clone(estimator)
    if isinstance(again, MLPHead):
        again.fit(X, y)
        again.temperature_ = estimator.temperature_  # calibrated on rows that it had not seen
        return again
    again.set_params(penalties=(estimator.penalty_,))
    return again.fit(X, y)


def _chosen(final: Fitted) -> dict[str, Any]:
    head = "perceptron" if isinstance(final, MLPHead) else "linear"
    penalty = None if isinstance(final, MLPHead) else float(final.penalty_)
    temperature = float(getattr(final, "temperature_", 1.0))
    leans = bool(np.any(getattr(final, "offsets_", ())))
    return {"head": head, "penalty": penalty, "temperature": temperature, "leans towards rare labels": leans}
