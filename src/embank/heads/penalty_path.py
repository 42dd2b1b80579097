"""The path of penalties, from strong to weak: every fold solved at once, each step starting where the last one ended.

The path stops once the held-back loss has risen twice in a row, because weaker penalties cost most and win least.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from embank.arrays import Mask, Outputs
from embank.errors import HeadError
from embank.heads.calibration import nll
from embank.heads.checks import vectors
from embank.heads.folds import NEVER, training_weights
from embank.heads.solver import LOOSE, TIGHT, Link, Problems, Solution, solve, start
from embank.heads.spectrum import Spectrum

PENALTIES = tuple(float(penalty) for penalty in np.logspace(2, -4, 13))
"""Ridge penalties relative to a mean loss, strongest first; scikit-learn's C is `1 / (penalty * texts)`."""

PATIENCE = 2
# Two risen losses in a row: one may be noise. Folds are solved together up to this many float32 logits (120 MB).
TOGETHER = 30_000_000


@dataclass(kw_only=True, frozen=True, eq=False)
class Study:
    """The input of a cross-validation.

    Attributes:
        link: softmax over classes, or a sigmoid per label.
        rows: the training rows, decomposed.
        targets: float32 `[outputs, texts]`.
        importance: float32 `[1 or outputs, texts]`, how much each row counts.
        fold: int64 `[texts]`, when a row is held back; -1 for never.
        folds: how many.
    """

    link: Link
    rows: Spectrum
    targets: Float32[np.ndarray, "outputs texts"]
    importance: Float32[np.ndarray, "each texts"]
    fold: Int64[np.ndarray, " texts"]
    folds: int

    def groups(self) -> list[Problems]:
        """The folds' problems: all in one, or one by one if they would not fit into memory together."""
        weights = training_weights(self.fold, self.importance, self.folds)
        together = self.folds * self.targets.size <= TOGETHER
        parts = [weights] if together else list(weights[:, None])
        return [Problems(self.link, self.rows, self.targets, part) for part in parts]

    def whole(self) -> Problems:
        """The problem of all rows."""
        nobody = np.full_like(self.fold, NEVER)
        return Problems(self.link, self.rows, self.targets, training_weights(nobody, self.importance, 1))


@dataclass(frozen=True, eq=False)
class Chosen:
    """What the path found.

    Attributes:
        penalty: the penalty with the least held-back loss.
        losses: held-back loss of each penalty that was tried.
        held_back: float32 `[texts, outputs]` logits of each row from a fit without it; NaN where never held back.
        solution: float64 `[1, outputs, rank + 1]`, fitted to all rows at that penalty.
    """

    penalty: float
    losses: dict[float, float]
    held_back: Float32[np.ndarray, "texts outputs"]
    solution: Solution


def follow(study: Study, penalties: tuple[float, ...]) -> Chosen:
    """Choose a penalty by the loss on held-back rows and fit all rows with it.

    Where no row can be held back, the middle penalty is taken.

    Raises:
        HeadError: no penalty, one that is not positive, or vectors too large to be multiplied.
    """
    order = sorted(penalties, reverse=True)
    if not order or order[-1] <= 0:
        raise HeadError(f"found penalties {tuple(penalties)}, expected at least one and all above 0")
    whole = study.whole()
    if (study.fold == NEVER).all():
        penalty = order[len(order) // 2]
        unknown = np.full(study.targets.T.shape, np.nan, dtype=np.float32)
        return Chosen(penalty, {}, unknown, solve(whole, penalty, start(whole), TIGHT))
    groups = study.groups()
    solutions = [start(group) for group in groups]
    losses: dict[float, float] = {}
    best: Chosen | None = None
    for penalty in order:
        solutions = [solve(group, penalty, begin, LOOSE) for group, begin in zip(groups, solutions, strict=True)]
        held_back = _held_back(study, groups, solutions)
        losses[penalty] = _loss(study, held_back)
        if losses[penalty] <= min(losses.values()):
            best = Chosen(penalty, losses, held_back, np.concatenate(solutions).mean(axis=0, keepdims=True))
        elif best is None or penalty < order[order.index(best.penalty) + PATIENCE - 1]:
            break
    if best is None:
        raise HeadError("found vectors whose products are not finite, expected smaller numbers; scale them down")
    return replace(best, solution=solve(whole, best.penalty, best.solution, TIGHT))


def _held_back(study: Study, groups: list[Problems], solutions: list[Solution]) -> Float32[np.ndarray, "texts outputs"]:
    """Logits of each row by the fold that did not see it."""
    result = np.full(study.targets.T.shape, np.nan, dtype=np.float32)
    first = 0
    for group, solution in zip(groups, solutions, strict=True):
        logits = group.logits(solution)
        for place, one in enumerate(logits):
            members = study.fold == first + place
            result[members] = one[:, members].T
        first += len(logits)
    return result


def _loss(study: Study, held_back: Float32[np.ndarray, "texts outputs"]) -> float:
    """Mean negative log-likelihood over the rows that were held back once, unweighted."""
    seen = study.fold != NEVER
    truth = study.targets.T[seen]
    if study.link == "softmax":
        return nll(held_back[seen].astype(np.float64), truth.argmax(axis=1), "single")
    return nll(held_back[seen].astype(np.float64), truth, "multi")


class ValidatedHead(BaseEstimator):
    """An estimator whose penalty and thresholds are chosen by cross-validation on the training rows."""

    n_features_in_: int

    def __init__(
        self,
        penalties: Sequence[float] = PENALTIES,
        class_weight: str | None = None,
        thresholds: Literal["adjusted", "plain"] = "adjusted",
        folds: int = 5,
    ) -> None:
        self.penalties = penalties
        self.class_weight = class_weight
        self.thresholds = thresholds
        self.folds = folds

    @property
    def _balanced(self) -> bool:
        """Whether rows count in inverse proportion to their class."""
        if self.class_weight not in (None, "balanced"):
            raise HeadError(f"found class_weight {self.class_weight!r}, expected None or 'balanced'")
        return self.class_weight == "balanced"

    def _follow(self, study: Study) -> Mask:
        """Choose the penalty, fit, and say which rows were held back once."""
        chosen = follow(study, tuple(self.penalties))
        self.penalty_, self.penalty_losses_ = chosen.penalty, chosen.losses
        self._affine = study.rows.unfold(chosen.solution[0, :, :-1].T, chosen.solution[0, :, -1])
        self.coef_, self.intercept_ = self._affine.weights.T, self._affine.bias
        self.held_back_ = chosen.held_back
        seen: Mask = study.fold != NEVER
        return seen

    def _decision(self, X: ArrayLike) -> Outputs:
        """Logits of the fitted outputs, `[texts, outputs]`."""
        check_is_fitted(self)
        logits: Outputs = vectors(X, self.n_features_in_) @ self._affine.weights + self._affine.bias
        return logits
