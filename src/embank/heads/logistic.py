"""Logistic regression for one label of several, its penalty chosen by cross-validation on the training rows."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64, Shaped
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from embank.arrays import Outputs, Probabilities, Vectors
from embank.heads import Affine
from embank.heads import checks as rows
from embank.heads.calibration import temperature
from embank.heads.folds import assign_folds
from embank.heads.penalty_path import Study, ValidatedHead
from embank.heads.served import ServedHead
from embank.heads.spectrum import spectrum
from embank.heads.thresholds import single_offsets

# From so many classes on, a fold takes long, and three are enough.
MANY_CLASSES = 50


class LogisticHead(ClassifierMixin, ValidatedHead):
    """Multinomial logistic regression on standardised columns.

    Two classes are one logit, as in scikit-learn, and are served as two outputs of opposite sign.

    Args:
        penalties: ridge penalties relative to a mean loss, tried from strong to weak; scikit-learn's C is
            `1 / (penalty * texts)` on columns that a StandardScaler scaled. One penalty is simply used.
        class_weight: None, or `balanced`: rows count in inverse proportion to their class.
        thresholds: `adjusted` in favour of rare classes where that clearly raises macro-F1 on held-back rows
            (probabilities are not touched), or `plain`: always the most probable class.
        folds: of the cross-validation, stratified; three at most with more than 50 classes.

    Attributes:
        classes_: names of the classes, sorted.
        coef_: float32 `[classes, width]` (one row for two classes), on vectors as they came.
        intercept_: float32 `[classes]` (one number for two classes).
        penalty_: the penalty that was chosen.
        penalty_losses_: held-back log-loss of each penalty that was tried.
        held_back_: float32 `[texts, classes]` logits of each training row by a fit without it; NaN for never held back.
        temperature_: calibrated on these.
        offsets_: added to logits before deciding, not before probabilities.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> "LogisticHead":
        """Choose the penalty, fit, calibrate.

        Args:
            X: `[texts, width]`.
            y: `[texts]`, names or numbers of classes.

        Raises:
            HeadError: rows are not finite, or have one class only.
        """
        X = rows.vectors(X)
        self.classes_, numbers = rows.classes(y, len(X))
        self.n_features_in_ = X.shape[1]
        seen = self._follow(self._study(X, numbers))
        self.held_back_ = _two_sided(self.held_back_)
        self.temperature_ = temperature(self.held_back_[seen], numbers[seen], "single")
        adjusted = self.thresholds == "adjusted" and bool(seen.any())
        straight = (0.0,) * len(self.classes_)
        self.offsets_ = single_offsets(self.held_back_[seen], numbers[seen]) if adjusted else straight
        return self

    def _study(self, X: Vectors, numbers: Int64[np.ndarray, " texts"]) -> Study:
        """The rows, targets and folds of the cross-validation."""
        count = len(self.classes_)
        folds = min(self.folds, 3) if count > MANY_CLASSES else self.folds
        importance = np.ones(len(X), dtype=np.float32)
        if self._balanced:
            importance = (len(X) / count / np.bincount(numbers))[numbers].astype(np.float32)
        one_hot = (numbers[None, :] == np.arange(count)[:, None]).astype(np.float32)
        return Study(
            link="softmax" if count > 2 else "sigmoid",
            rows=spectrum(X),
            targets=one_hot if count > 2 else one_hot[1:],
            importance=importance[None, :],
            fold=assign_folds(X, numbers, folds),
            folds=folds,
        )

    def decision_function(self, X: ArrayLike) -> Shaped[np.ndarray, "texts ..."]:
        """Logits `[texts, classes]`, or `[texts]` for two classes (of the second, as in scikit-learn)."""
        logits = self._decision(X)
        return logits if len(self.classes_) > 2 else logits[:, 0]

    def predict_proba(self, X: ArrayLike) -> Probabilities:
        """Calibrated probabilities `[texts, classes]`."""
        return self.serve().probabilities(_two_sided(self._decision(X)))

    def predict(self, X: ArrayLike) -> Shaped[np.ndarray, " texts"]:
        """Names of the decided classes `[texts]`."""
        names: Shaped[np.ndarray, " texts"] = self.classes_[self.serve().decide(_two_sided(self._decision(X)))]
        return names

    def serve(self, labels: Sequence[str] | None = None) -> ServedHead:
        """The fitted head as a value.

        Args:
            labels: names in the order of `classes_`; these themselves where left out.
        """
        check_is_fitted(self)
        names = tuple(str(name) for name in (self.classes_ if labels is None else labels))
        layer = self._affine
        if len(self.classes_) == 2:
            layer = Affine(_two_sided(layer.weights), _two_sided(layer.bias[None])[0])
        return ServedHead(
            kind="single", labels=names, layers=(layer,), temperature=self.temperature_, offsets=self.offsets_
        )


def _two_sided(values: Outputs) -> Outputs:
    """One output to two of opposite sign whose difference it is; more outputs as they are."""
    return values if values.shape[1] > 1 else np.concatenate([-values / 2, values / 2], axis=1)
