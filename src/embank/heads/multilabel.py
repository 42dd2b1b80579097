"""Logistic regression for any number of labels per text: one sigmoid per label, all labels solved together."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Shaped
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from embank.arrays import Outputs, Probabilities, Vectors
from embank.heads import checks as rows
from embank.heads.calibration import temperature
from embank.heads.folds import assign_folds, rarest
from embank.heads.penalty_path import Study, ValidatedHead
from embank.heads.served import ServedHead
from embank.heads.spectrum import spectrum
from embank.heads.thresholds import multi_offsets


class MultiLabelHead(ValidatedHead):
    """One-vs-rest logistic regression on standardised columns, one penalty for all labels.

    Args:
        penalties: as for `LogisticHead`.
        class_weight: None, or `balanced`: for each label, rows with and without it count the same in sum.
        thresholds: `adjusted`: each label's threshold is moved where that clearly raises its F1 on held-back rows, or
            `plain`: a label is decided where its probability is above one half.
        folds: of the cross-validation, stratified by each row's rarest label.

    Attributes:
        coef_: float32 `[labels, width]`.
        intercept_: float32 `[labels]`.
        penalty_: the penalty that was chosen, by held-back log-loss.
        penalty_losses_: held-back log-loss of each penalty that was tried.
        held_back_: float32 `[texts, labels]` logits of each training row by a fit without it.
        temperature_: calibrated on these.
        offsets_: added to logits before deciding, not before probabilities.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> "MultiLabelHead":
        """Choose the penalty, fit, calibrate.

        Args:
            X: `[texts, width]`.
            y: 0/1 matrix `[texts, labels]`; a label that always or never applies is learnt as that.

        Raises:
            HeadError: rows are not finite, or labels are no 0/1 matrix.
        """
        X = rows.vectors(X)
        Y = rows.indicator(y, len(X))
        self.n_features_in_ = X.shape[1]
        seen = self._follow(self._study(X, Y))
        self.temperature_ = temperature(self.held_back_[seen], Y[seen], "multi")
        adjusted = self.thresholds == "adjusted" and bool(seen.any())
        self.offsets_ = multi_offsets(self.held_back_[seen], Y[seen]) if adjusted else (0.0,) * Y.shape[1]
        return self

    def _study(self, X: Vectors, Y: Float32[np.ndarray, "texts labels"]) -> Study:
        """The rows, targets and folds of the cross-validation."""
        importance = np.ones((1, len(X)), dtype=np.float32)
        if self._balanced:
            positive = np.clip(Y.mean(axis=0), 1.0 / len(Y), 1 - 1.0 / len(Y))
            importance = np.where(Y > 0, 0.5 / positive, 0.5 / (1 - positive)).T.astype(np.float32)
        return Study(
            link="sigmoid",
            rows=spectrum(X),
            targets=np.ascontiguousarray(Y.T),
            importance=importance,
            fold=assign_folds(X, rarest(Y), self.folds),
            folds=self.folds,
        )

    def decision_function(self, X: ArrayLike) -> Outputs:
        """Logits `[texts, labels]`."""
        return self._decision(X)

    def predict_proba(self, X: ArrayLike) -> Probabilities:
        """Calibrated probability of each label `[texts, labels]`."""
        return self._served().probabilities(self._decision(X))

    def predict(self, X: ArrayLike) -> Shaped[np.ndarray, "texts labels"]:
        """Decided labels, an int64 0/1 matrix `[texts, labels]`."""
        return self._served().decide(self._decision(X))

    def serve(self, labels: Sequence[str]) -> ServedHead:
        """The fitted head as a value, with the names of its labels in the order of the matrix's columns."""
        check_is_fitted(self)
        return ServedHead(
            kind="multi",
            labels=tuple(labels),
            layers=(self._affine,),
            temperature=self.temperature_,
            offsets=self.offsets_,
        )

    def _served(self) -> ServedHead:
        """Served with numbers for names."""
        return self.serve([str(number) for number in range(self._affine.outputs)])
