"""A small multilayer perceptron of one hidden layer, for tasks whose classes a plane does not separate."""

import warnings
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from embank.arrays import Outputs, Probabilities
from embank.errors import HeadError
from embank.heads import Affine
from embank.heads import checks as rows
from embank.heads.calibration import temperature
from embank.heads.served import ServedHead
from embank.labels.kinds import Kind

# Below this many rows nothing is set aside to stop on; a fixed number of rounds with weight decay has to do.
ENOUGH_TO_STOP_ON = 200
# Fewer rows of a class than this may all be set aside.
FEWEST_OF_A_CLASS = 10
SMALLEST_BATCH, LARGEST_BATCH = 64, 512
# Batches of a round: with more rows they grow, since a round of small ones costs a second per thousand rows.
BATCHES = 47


class MLPHead(BaseEstimator):
    """One hidden layer of rectified units on standardised columns, trained by scikit-learn's Adam.

    Args:
        kind: `single`, `multi` or `regression`.
        hidden: how many units.
        decay: L2 penalty, scikit-learn's `alpha`.
        rounds: most passes over the rows.
        seed: of the first weights, the order of rows and the rows that training stops on.

    Attributes:
        classes_: names of the classes, sorted (kind `single` only).
        temperature_: 1 until `calibrate` has seen rows that were not trained on.
    """

    def __init__(
        self, kind: Kind = "single", hidden: int = 128, decay: float = 0.1, rounds: int = 60, seed: int = 0
    ) -> None:
        self.kind = kind
        self.hidden = hidden
        self.decay = decay
        self.rounds = rounds
        self.seed = seed

    def fit(self, X: ArrayLike, y: ArrayLike) -> "MLPHead":
        """Train the network.

        Args:
            X: `[texts, width]`.
            y: labels `[texts]`, a 0/1 matrix `[texts, labels]`, or numbers `[texts]`.

        Raises:
            HeadError: rows are not finite, or labels do not fit the kind.
        """
        X = rows.vectors(X)
        targets, centre, spread = self._targets(y, len(X))
        self.n_features_in_ = X.shape[1]
        mean = X.mean(axis=0, dtype=np.float64)
        deviation = X.std(axis=0, dtype=np.float64)
        deviation[deviation <= 1e-5 * np.maximum(np.abs(mean), 1e-20)] = 1.0
        network = self._network(targets)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # `rounds` is a limit that is meant to be reached
            network.fit(((X - mean) / deviation).astype(np.float32), targets)
        self._layers = _fold(network, mean, deviation, centre, spread)
        self.temperature_ = 1.0
        return self

    def _targets(self, y: ArrayLike, texts: int) -> tuple[Shaped[np.ndarray, "texts ..."], float, float]:
        """What the network is trained on; numbers are brought to mean 0 and deviation 1."""
        if self.kind == "single":
            self.classes_, numbers = rows.classes(y, texts)
            return numbers, 0.0, 1.0
        if self.kind == "multi":
            return rows.indicator(y, texts).astype(np.int64), 0.0, 1.0
        if self.kind != "regression":
            raise HeadError(f"found kind {self.kind!r}, expected single, multi or regression; write one of these")
        plain = rows.numbers(y, texts)
        spread = float(plain.std()) or 1.0
        return (plain - plain.mean()) / spread, float(plain.mean()), spread

    def _network(self, targets: Shaped[np.ndarray, "texts ..."]) -> MLPClassifier | MLPRegressor:
        """The untrained network; it stops early only where rows can be set aside for that."""
        stopping = len(targets) >= ENOUGH_TO_STOP_ON
        if self.kind == "single":
            stopping = stopping and bool(np.bincount(targets).min() >= FEWEST_OF_A_CLASS)
        family = MLPRegressor if self.kind == "regression" else MLPClassifier
        return family(
            hidden_layer_sizes=(self.hidden,),
            alpha=self.decay,
            batch_size=min(max(SMALLEST_BATCH, len(targets) // BATCHES), LARGEST_BATCH, len(targets)),
            max_iter=self.rounds,
            early_stopping=stopping,
            n_iter_no_change=8,
            random_state=self.seed,
        )

    def calibrate(self, X: ArrayLike, y: ArrayLike) -> "MLPHead":
        """Learn the temperature on rows that were not trained on."""
        logits = self._outputs(X)
        if self.kind == "single":
            labels = np.asarray(y)
            if not np.isin(labels, self.classes_).all():
                raise HeadError("found classes that were not fitted, expected known ones only; leave those rows out")
            truth: ArrayLike = np.searchsorted(self.classes_, labels)
        else:
            truth = np.asarray(y)
        self.temperature_ = temperature(logits, truth, self.kind)
        return self

    def predict(self, X: ArrayLike) -> Shaped[np.ndarray, "texts ..."]:
        """Class names `[texts]`, a 0/1 matrix `[texts, labels]`, or numbers `[texts]`."""
        outputs = self._outputs(X)
        decided = self._served().decide(outputs)
        if self.kind != "single":
            return decided
        names: Shaped[np.ndarray, " texts"] = self.classes_[decided]
        return names

    def predict_proba(self, X: ArrayLike) -> Probabilities:
        """Probabilities `[texts, labels]`; refuses a regression."""
        outputs = self._outputs(X)
        return self._served().probabilities(outputs)

    def serve(self, labels: Sequence[str] | None = None) -> ServedHead:
        """The fitted head as a value of two affine maps, with label names in the order of the outputs."""
        check_is_fitted(self)
        given = labels if labels is not None else self.classes_ if self.kind == "single" else ()
        return ServedHead(
            kind=self.kind,
            labels=tuple(str(name) for name in given),
            layers=self._layers,
            temperature=self.temperature_,
        )

    def _served(self) -> ServedHead:
        """Served, with numbers for the names of many labels."""
        return self.serve([str(number) for number in range(self._layers[-1].outputs)] if self.kind == "multi" else None)

    def _outputs(self, X: ArrayLike) -> Outputs:
        """Logits or numbers `[texts, outputs]`."""
        check_is_fitted(self)
        return self._served().outputs(rows.vectors(X, self.n_features_in_))


def _fold(
    network: MLPClassifier | MLPRegressor,
    mean: Float[np.ndarray, " width"],
    deviation: Float[np.ndarray, " width"],
    centre: float,
    spread: float,
) -> tuple[Affine, Affine]:
    """The trained network as two affine maps of vectors as they came.

    Args:
        network: scikit-learn's, trained on standardised rows.
        mean: `[width]`, subtracted before training.
        deviation: `[width]`, divided by before training.
        centre: mean of the target numbers; 0 for classes.
        spread: their deviation; 1 for classes.
    """
    first, second = (weights.astype(np.float64) for weights in network.coefs_)
    before, after = (bias.astype(np.float64) for bias in network.intercepts_)
    first = first / deviation[:, None]
    before = before - mean @ first
    second, after = second * spread, after * spread + centre
    if network.out_activation_ == "logistic" and second.shape[1] == 1 and np.size(network.classes_) == 2:
        # Two classes are one logit in scikit-learn; served heads have an output for each class.
        second, after = np.hstack([-second / 2, second / 2]), np.concatenate([-after / 2, after / 2])
    return (
        Affine(first.astype(np.float32), before.astype(np.float32)),
        Affine(second.astype(np.float32), after.astype(np.float32)),
    )
