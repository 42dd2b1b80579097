"""What the two logistic heads share: the settings of their cross-validation."""

from collections.abc import Sequence
from typing import Literal

from sklearn.base import BaseEstimator

from embank.heads.path import PENALTIES


class ValidatedHead(BaseEstimator):
    """An estimator whose penalty and decisions are chosen by cross-validation on the training rows."""

    def __init__(
        self,
        penalties: Sequence[float] = PENALTIES,
        class_weight: str | None = None,
        decisions: Literal["lean", "probable"] = "lean",
        folds: int = 5,
    ) -> None:
        self.penalties = penalties
        self.class_weight = class_weight
        self.decisions = decisions
        self.folds = folds
