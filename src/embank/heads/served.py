"""A served head: one or two affine maps, the names of their outputs, and a temperature, as a plain value."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Shaped
from scipy.special import expit, softmax

from embank.arrays import Outputs, Probabilities, Vectors
from embank.errors import HeadError
from embank.heads import Affine
from embank.labels.kinds import POOLED, Kind

MOST_LAYERS = 2


@dataclass(kw_only=True, frozen=True, eq=False)
class ServedHead:
    """What is stored of a head, and all that prediction needs.

    Attributes:
        kind: `single` (softmax over labels), `multi` (a sigmoid per label) or `regression` (one number).
        labels: the outputs' names in order; a single head has at least two, a multi head at least one, a regression
            none.
        layers: one affine map; or two, with a ReLU between them.
        temperature: outputs are divided by it before they become probabilities; decisions do not depend on it.
        offsets: one per label, added to outputs before deciding but not before probabilities, so that rare labels are
            decided more often while probabilities stay calibrated; empty for none.

    Raises:
        HeadError: the parts do not fit together.
    """

    kind: Kind
    labels: tuple[str, ...]
    layers: tuple[Affine, ...]
    temperature: float = 1.0
    offsets: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together."""
        if self.kind not in POOLED:
            raise HeadError(f"found kind {self.kind!r}, expected one of {', '.join(POOLED)}; write one of these")
        if not 1 <= len(self.layers) <= MOST_LAYERS:
            raise HeadError(f"found {len(self.layers)} layers, expected one or two; deeper heads are tails")
        if len(self.layers) == MOST_LAYERS and self.layers[0].outputs != self.layers[1].width:
            raise HeadError(
                f"found a first layer with {self.layers[0].outputs} outputs and a second that reads "
                f"{self.layers[1].width}, expected the same number; take both from one fit"
            )
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise HeadError(f"found temperature {self.temperature}, expected a positive number; calibrate again")
        if self.offsets and (len(self.offsets) != len(self.labels) or not np.isfinite(self.offsets).all()):
            raise HeadError(
                f"found {len(self.offsets)} offsets, expected none or {len(self.labels)} finite ones, one per label"
            )
        self._check_labels()

    def _check_labels(self) -> None:
        """One name per output, no name twice."""
        expected = 1 if self.kind == "regression" else len(self.labels)
        fewest = {"single": 2, "multi": 1, "regression": 0}[self.kind]
        if self.kind == "regression" and self.labels:
            raise HeadError(f"found {len(self.labels)} labels for a regression, expected none; leave them out")
        if len(self.labels) < fewest or self.layers[-1].outputs != expected:
            raise HeadError(
                f"found {len(self.labels)} labels and {self.layers[-1].outputs} outputs for kind {self.kind}, "
                f"expected as many of one as of the other and at least {fewest}; give one name for each class"
            )
        if len(set(self.labels)) != len(self.labels):
            raise HeadError("found a label twice, expected every label once; rename or merge them")

    @property
    def width(self) -> int:
        """How wide the vectors are that it reads."""
        return self.layers[0].width

    def outputs(self, X: Vectors) -> Outputs:
        """Vectors to outputs `[texts, outputs]`: logits, or numbers.

        Raises:
            HeadError: the vectors are not as wide as the head reads.
        """
        if X.ndim != 2 or X.shape[1] != self.width:
            raise HeadError(
                f"found vectors of shape {X.shape}, expected [texts, {self.width}]; "
                "read the columns that the head was fitted on, in their order"
            )
        return self.finish(X @ self.layers[0].weights + self.layers[0].bias)

    def finish(self, first: Float32[np.ndarray, "texts units"]) -> Outputs:
        """Outputs of the first layer to outputs of the head (where many first layers ran as one product)."""
        if len(self.layers) == 1:
            return first
        result: Outputs = np.maximum(first, np.float32(0.0)) @ self.layers[1].weights + self.layers[1].bias
        return result

    def probabilities(self, outputs: Outputs) -> Probabilities:
        """Outputs to calibrated probabilities `[texts, labels]`.

        Raises:
            HeadError: a regression has no probabilities.
        """
        if self.kind == "regression":
            raise HeadError("found a regression, expected kind single or multi; use decide() for its numbers")
        cooled = outputs / np.float32(self.temperature)
        result: Probabilities = softmax(cooled, axis=1) if self.kind == "single" else expit(cooled)
        return result

    def decide(self, outputs: Outputs) -> Shaped[np.ndarray, "..."]:
        """Outputs to decisions, which a temperature does not change, but offsets do.

        Returns:
            single: int64 `[texts]`, the number of the label; multi: int64 `[texts, labels]` of 0 and 1;
            regression: float32 `[texts]`.
        """
        if self.kind == "regression":
            return outputs[:, 0]
        shifted = outputs + np.array(self.offsets, dtype=np.float32) if self.offsets else outputs
        if self.kind == "multi":
            return (shifted > 0).astype(np.int64)
        numbers: Shaped[np.ndarray, " texts"] = shifted.argmax(axis=1)
        return numbers
