"""Ridge regression for numbers: leave-one-out error of every penalty, exactly, from one decomposition."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from embank.errors import HeadError
from embank.heads import checks as rows
from embank.heads.served import ServedHead
from embank.heads.spectrum import Principal, spectrum

PENALTIES = tuple(float(penalty) for penalty in np.logspace(2, -5, 29))
"""Relative to a mean squared error; scikit-learn's alpha is `penalty * texts`."""


class RidgeHead(RegressorMixin, BaseEstimator):
    """Ridge regression on standardised columns.

    Args:
        penalties: relative to a mean squared error; scikit-learn's alpha is `penalty * texts` on columns that a
            StandardScaler scaled.

    Attributes:
        coef_: float32 `[width]`, on vectors as they came.
        intercept_: a number.
        penalty_: the penalty with the least leave-one-out squared error.
        penalty_losses_: mean leave-one-out squared error of each penalty.
        held_back_: float64 `[texts, 1]`, each training row's prediction by a fit without it (columns scaled once).
    """

    def __init__(self, penalties: Sequence[float] = PENALTIES) -> None:
        self.penalties = penalties

    def fit(self, X: ArrayLike, y: ArrayLike) -> "RidgeHead":
        """Choose the penalty and fit.

        Args:
            X: `[texts, width]`.
            y: `[texts]` numbers.

        Raises:
            HeadError: rows or numbers are not finite, or one row only is given.
        """
        X = rows.vectors(X)
        targets = rows.numbers(y, len(X))
        if len(X) == 1:
            raise HeadError("found one row only, expected at least two; label more texts")
        self.n_features_in_ = X.shape[1]
        decomposed = spectrum(X)
        self.penalty_losses_: dict[float, float] = {}
        for penalty in self.penalties:
            left_out = leave_one_out(decomposed, targets[:, None], penalty)[:, 0]
            self.penalty_losses_[penalty] = float(np.square(left_out - targets).mean())
        self.penalty_ = min(self.penalty_losses_, key=lambda penalty: self.penalty_losses_[penalty])
        self.held_back_ = leave_one_out(decomposed, targets[:, None], self.penalty_)
        weights = _weights(decomposed, targets[:, None], self.penalty_)
        self._affine = decomposed.unfold(weights, np.array([targets.mean()]))
        self.coef_, self.intercept_ = self._affine.weights[:, 0], float(self._affine.bias[0])
        return self

    def predict(self, X: ArrayLike) -> Float32[np.ndarray, " texts"]:
        """Numbers `[texts]`."""
        check_is_fitted(self)
        outputs = rows.vectors(X, self.n_features_in_) @ self._affine.weights + self._affine.bias
        predicted: Float32[np.ndarray, " texts"] = outputs[:, 0]
        return predicted

    def serve(self, labels: Sequence[str] = ()) -> ServedHead:
        """The fitted head as a value; a regression has no labels."""
        check_is_fitted(self)
        return ServedHead(kind="regression", labels=tuple(labels), layers=(self._affine,))


def leave_one_out(
    decomposed: Principal, targets: Float[np.ndarray, "texts outputs"], penalty: float
) -> Float[np.ndarray, "texts outputs"]:
    """Each row's prediction by a ridge fit to all other rows, in closed form.

    The fit with the row has residual `r` and leverage `h`; the fit without it has residual `r / (1 - h)` (Allen 1974).
    The intercept is not penalised, and the scale of the columns is that of all rows.
    """
    texts = len(targets)
    mean = targets.mean(axis=0)
    fitted = mean + decomposed.rows @ _weights(decomposed, targets, penalty)
    shrinkage = 1.0 / (texts * (decomposed.variances + penalty))
    leverage = 1.0 / texts + np.square(decomposed.rows, dtype=np.float64) @ shrinkage
    residual = (targets - fitted) / np.maximum(1.0 - leverage, 1e-6)[:, None]
    left_out: Float[np.ndarray, "texts outputs"] = targets - residual
    return left_out


def _weights(
    decomposed: Principal, targets: Float[np.ndarray, "texts outputs"], penalty: float
) -> Float[np.ndarray, "rank outputs"]:
    """Ridge weights on rotated rows."""
    correlated = decomposed.rows.T.astype(np.float64) @ (targets - targets.mean(axis=0)) / len(targets)
    weights: Float[np.ndarray, "rank outputs"] = correlated / (decomposed.variances + penalty)[:, None]
    return weights
