"""Which columns a task reads, and with which estimator: chosen on training rows, with every trial on record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32
from numpy.typing import ArrayLike

from embank.arrays import Vectors
from embank.errors import HeadError
from embank.fit.column_screening import gather, prune
from embank.heads import checks as rows
from embank.heads.logistic import LogisticHead
from embank.heads.mlp import MLPHead
from embank.heads.multilabel import MultiLabelHead
from embank.heads.penalty_path import PENALTIES
from embank.heads.ridge import RidgeHead
from embank.labels.kinds import POOLED, Kind
from embank.metrics.classification import PRIMARY, measures

Fitted = LogisticHead | MultiLabelHead | RidgeHead | MLPHead
# Training and validation rows are both among a call's arguments, so their sizes stay unnamed.
Columns = Mapping[str, Float32[np.ndarray, "_ _"]]


@dataclass(kw_only=True, frozen=True)
class SelectionSettings:
    """How thoroughly to choose.

    Attributes:
        columns: `all` reads every column that is offered; `pruned` leaves out those without which held-back rows are
            predicted better.
        penalties: as for `LogisticHead` and `MultiLabelHead`.
        class_weight: the same.
        thresholds: the same.
        folds: the same.
        hidden: units of the perceptron that is tried where validation rows are given; 0 tries none.
        fewest: training rows below which no perceptron is tried.
        gain: how much better (as a fraction) fewer columns have to be on held-back rows: a smaller difference is noise,
            and reading all columns makes what is chosen steadier.
        margin: how much better (in the primary measure, as a fraction) a perceptron has to be on validation rows.
    """

    columns: Literal["all", "pruned"] = "pruned"
    penalties: tuple[float, ...] = PENALTIES
    class_weight: Literal["balanced"] | None = None
    thresholds: Literal["adjusted", "plain"] = "adjusted"
    folds: int = 5
    hidden: int = 128
    fewest: int = 1000
    margin: float = 0.02
    gain: float = 0.005


@dataclass(kw_only=True, frozen=True)
class Trial:
    """One thing that was tried.

    Attributes:
        names: the columns that were read.
        estimator: `linear` or `perceptron`.
        rows: what it was scored on, `held back` (cross-validation on training rows) or `validation`.
        score: the primary measure of its kind, as a fraction.
        penalty: of a linear estimator; None for a perceptron.
    """

    names: tuple[str, ...]
    estimator: Literal["linear", "perceptron"]
    rows: Literal["held back", "validation"]
    score: float
    penalty: float | None


@dataclass(frozen=True, eq=False)
class LabelledColumns:
    """Rows of several columns with their labels.

    Attributes:
        columns: named float32 arrays `[texts, width]`.
        y: labels `[texts]`, a 0/1 matrix `[texts, labels]`, or numbers `[texts]`.
    """

    columns: Columns
    y: ArrayLike


@dataclass(frozen=True, eq=False)
class Selection:
    """What was chosen, fitted, and what it was chosen from.

    Attributes:
        names: the columns to read, in the order in which the estimator expects them side by side.
        estimator: fitted on all training rows.
        measure: the name of the scores in the trials, `macro_f1` or `r2`.
        trials: everything that was tried, in order.
    """

    names: tuple[str, ...]
    estimator: Fitted
    measure: str
    trials: tuple[Trial, ...]


def select(
    columns: Columns,
    y: ArrayLike,
    kind: Kind,
    validation: LabelledColumns | None = None,
    settings: SelectionSettings | None = None,
) -> Selection:
    """Choose columns and estimator for a task and fit it.

    A linear head on all columns is compared, on held-back training rows, with one on the columns that a screen leaves;
    the shorter list wins where it is clearly better. Where validation rows are given, a perceptron may beat that.

    Args:
        columns: named float32 arrays `[texts, width]` of the same training rows, in the order of reading.
        y: labels `[texts]`, a 0/1 matrix `[texts, labels]`, or numbers `[texts]`.
        kind: what is predicted.
        validation: the same columns and labels of other rows.
        settings: how thoroughly to choose.

    Raises:
        HeadError: no columns, columns of different rows, rows that are not finite, or labels that cannot be learnt.
    """
    chosen = settings or SelectionSettings()
    checked = _check(columns, kind)
    trials: list[Trial] = []
    names = tuple(checked)
    estimator = _fit_linear(gather(checked, names), y, kind, chosen)
    trials.append(_held_back(names, estimator, y, kind))
    if chosen.columns == "pruned" and len(names) > 1:
        shorter = prune(checked, _targets(y, kind, len(checked[names[0]])))
        if shorter != names:
            other = _fit_linear(gather(checked, shorter), y, kind, chosen)
            trials.append(_held_back(shorter, other, y, kind))
            if trials[1].score >= trials[0].score + chosen.gain:
                names, estimator = shorter, other
    if validation is None or chosen.hidden == 0 or len(checked[names[0]]) < chosen.fewest:
        return Selection(names, estimator, PRIMARY[kind], tuple(trials))
    X_other, y_other = _gathered(validation.columns, names), validation.y
    perceptron = MLPHead(kind=kind, hidden=chosen.hidden).fit(gather(checked, names), y)
    scores = [measures(y_other, model.predict(X_other), kind)[PRIMARY[kind]] for model in (estimator, perceptron)]
    trials += (
        Trial(names=names, estimator="linear", rows="validation", score=scores[0], penalty=estimator.penalty_),
        Trial(names=names, estimator="perceptron", rows="validation", score=scores[1], penalty=None),
    )
    if scores[1] < scores[0] + chosen.margin:
        return Selection(names, estimator, PRIMARY[kind], tuple(trials))
    if kind != "regression" and _known(perceptron, y_other):
        perceptron.calibrate(X_other, y_other)
    return Selection(names, perceptron, PRIMARY[kind], tuple(trials))


def _check(columns: Columns, kind: Kind) -> dict[str, Vectors]:
    """Columns of as many finite rows each."""
    if kind not in POOLED:
        raise HeadError(f"found kind {kind!r}, expected one of {', '.join(POOLED)}; write one of these")
    if not columns:
        raise HeadError("found no columns, expected at least one; bank a column first")
    checked = {name: rows.vectors(column) for name, column in columns.items()}
    counts = {len(column) for column in checked.values()}
    if len(counts) > 1:
        raise HeadError(f"found columns of {sorted(counts)} rows, expected the same rows of each; fill them first")
    return checked


def _fit_linear(
    X: Vectors, y: ArrayLike, kind: Kind, settings: SelectionSettings
) -> LogisticHead | MultiLabelHead | RidgeHead:
    """The linear estimator of a kind, fitted."""
    if kind == "regression":
        return RidgeHead().fit(X, y)
    family = LogisticHead if kind == "single" else MultiLabelHead
    fitted: LogisticHead | MultiLabelHead = family(
        penalties=settings.penalties,
        class_weight=settings.class_weight,
        thresholds=settings.thresholds,
        folds=settings.folds,
    ).fit(X, y)
    return fitted


def _held_back(
    names: tuple[str, ...], estimator: LogisticHead | MultiLabelHead | RidgeHead, y: ArrayLike, kind: Kind
) -> Trial:
    """A linear estimator's trial, scored on what it predicted for training rows while they were held back."""
    logits = estimator.held_back_.astype(np.float32)
    seen = np.isfinite(logits).all(axis=1)
    score = 0.0
    if seen.any():
        count = logits.shape[1]
        served = estimator.serve([str(number) for number in range(count)] if kind != "regression" else ())
        decided = served.decide(logits[seen])
        guess = estimator.classes_[decided] if isinstance(estimator, LogisticHead) else decided
        score = measures(np.asarray(y)[seen], guess, kind)[PRIMARY[kind]]
    return Trial(names=names, estimator="linear", rows="held back", score=score, penalty=estimator.penalty_)


def _targets(y: ArrayLike, kind: Kind, texts: int) -> np.ndarray:
    """What the screen regresses on: one-hot classes, 0/1 labels, or numbers `[texts, outputs]`."""
    if kind == "single":
        names, numbers = rows.classes(y, texts)
        one_hot: np.ndarray = np.eye(len(names))[numbers]
        return one_hot
    return rows.indicator(y, texts).astype(np.float64) if kind == "multi" else rows.numbers(y, texts)[:, None]


def _gathered(columns: Columns, names: tuple[str, ...]) -> Vectors:
    """The chosen columns of the validation rows, side by side."""
    missing = [name for name in names if name not in columns]
    if missing:
        raise HeadError(f"found no validation rows of {', '.join(missing)}, expected the columns that are trained on")
    return gather({name: rows.vectors(columns[name]) for name in names}, names)


def _known(perceptron: MLPHead, y: ArrayLike) -> bool:
    """Whether all validation labels were seen in training (a calibration needs that)."""
    return perceptron.kind == "multi" or bool(np.isin(np.asarray(y), perceptron.classes_).all())
