"""Measures of predicted classes, labels and numbers, and the score of a baseline that reads no text."""

import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import ArrayLike
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, r2_score, root_mean_squared_error

from embank.errors import HeadError
from embank.labels.kinds import Kind

PRIMARY: dict[Kind, str] = {"single": "macro_f1", "multi": "macro_f1", "regression": "r2"}
"""The measure that choices are made by."""


def measures(truth: ArrayLike, predicted: ArrayLike, kind: Kind) -> dict[str, float]:
    """Compare predictions with the truth.

    Args:
        truth: labels `[texts]`, a 0/1 matrix `[texts, labels]`, or numbers `[texts]`.
        predicted: the same of the same shape.
        kind: what is predicted.

    Returns:
        single: `macro_f1` (over the classes of either) and `accuracy`; multi: `macro_f1` (mean over labels) and
        `exact_match`; regression: `r2`, `rmse`, `pearson` and `spearman`. All as fractions, rmse in the target's unit.

    Raises:
        HeadError: the shapes differ, or no rows are given.
    """
    right, guess = np.asarray(truth), np.asarray(predicted)
    if right.shape != guess.shape or right.size == 0:
        raise HeadError(f"found truth {right.shape} and predictions {guess.shape}, expected equal shapes with rows")
    if kind == "regression":
        return _number_measures(right.astype(np.float64), guess.astype(np.float64))
    macro = float(f1_score(right, guess, average="macro", zero_division=0.0))
    exact = float(accuracy_score(right, guess))
    return {"macro_f1": macro, "accuracy" if kind == "single" else "exact_match": exact}


def guesses(trained: ArrayLike, texts: int, kind: Kind) -> Shaped[np.ndarray, "texts ..."]:
    """Predictions without reading: the commonest class, each label's commoner value, or the mean."""
    seen = np.asarray(trained)
    if kind == "single":
        names, counts = np.unique(seen, return_counts=True)
        return np.repeat(names[counts.argmax()], texts)
    if kind == "multi":
        return np.tile((seen.mean(axis=0) > 0.5).astype(np.int64), (texts, 1))  # noqa: PLR2004 (the commoner half)
    return np.full(texts, seen.astype(np.float64).mean())


def baseline(trained: ArrayLike, truth: ArrayLike, kind: Kind) -> dict[str, float]:
    """The measures of guessing without reading.

    Args:
        trained: labels of the training rows, which the guess is taken from.
        truth: labels to score it on.
        kind: what is predicted.
    """
    return measures(truth, guesses(trained, len(np.asarray(truth)), kind), kind)


def _number_measures(right: Float[np.ndarray, " texts"], guess: Float[np.ndarray, " texts"]) -> dict[str, float]:
    """Measures of a regression; correlations with a constant are 0."""
    vary = len(right) > 1 and np.ptp(right) > 0 and np.ptp(guess) > 0
    return {
        "r2": float(r2_score(right, guess)) if len(right) > 1 else 0.0,
        "rmse": float(root_mean_squared_error(right, guess)),
        "pearson": float(pearsonr(right, guess).statistic) if vary else 0.0,
        "spearman": float(spearmanr(right, guess).statistic) if vary else 0.0,
    }
