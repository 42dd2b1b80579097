"""Logistic regression by preconditioned L-BFGS, many problems in one matrix product.

The problems are folds of a cross-validation (softmax) or labels (sigmoid); they share rows and differ in row weights.
Each minimises `sum_i w_i loss_i + penalty / 2 * |weights|^2`, biases free, where a problem's `w` sums to one. In the
coordinates of `Spectrum` the Hessian is close to `curvature_k * variance_j + penalty` on its diagonal (Boehning 1992
bounds it by the same expression with curvature 1/2), so variables are scaled by its root, and L-BFGS needs few steps.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32
from scipy.optimize import minimize
from scipy.special import expit

from embank.heads.spectrum import Spectrum

Link = Literal["softmax", "sigmoid"]

Solution = Float[np.ndarray, "problems outputs places"]
"""Weights of each output of each problem on the rotated rows; the last place is the bias."""

# Below this a class is so certain that scaling by its curvature would only magnify rounding.
LEAST_CURVATURE = 1e-4
# Steps that L-BFGS remembers, scipy's own default.
MEMORY = 10


@dataclass(frozen=True, eq=False)
class Problems:
    """Problems over the same rows.

    Attributes:
        link: `softmax` over the outputs of a problem, or a `sigmoid` on each.
        rows: the shared rows, decomposed.
        targets: float32 `[outputs, texts]`, one-hot (softmax) or 0/1 (sigmoid), the same for every problem.
        weights: float32 `[problems, outputs or 1, texts]`; sums to one along texts.
    """

    link: Link
    rows: Spectrum
    targets: Float32[np.ndarray, "outputs texts"]
    weights: Float32[np.ndarray, "problems each texts"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Problems, outputs, rank + 1 (the last place is the bias)."""
        return self.weights.shape[0], self.targets.shape[0], self.rows.rank + 1

    def logits(self, solution: Solution) -> Float32[np.ndarray, "..."]:
        """Logits `[problems, outputs, texts]` of every problem on every row."""
        problems, outputs, places = self.shape
        flat = np.ascontiguousarray(solution.reshape(-1, places)[:, :-1], dtype=np.float32)
        result: Float32[np.ndarray, "problems outputs texts"] = (flat @ self.rows.rows.T).reshape(problems, outputs, -1)
        result += solution[..., -1:].astype(np.float32)
        return result


@dataclass(frozen=True)
class Patience:
    """When L-BFGS may stop.

    Attributes:
        gradient: at this largest scaled gradient.
        decrease: at this relative decrease of the objective in one step.
        steps: after so many steps in any case.
    """

    gradient: float
    decrease: float
    steps: int


LOOSE = Patience(gradient=1e-4, decrease=3e-4, steps=100)
TIGHT = Patience(gradient=1e-6, decrease=1e-9, steps=500)


def start(problems: Problems) -> Solution:
    """Zero weights, and the biases that give each class its share: where a path begins."""
    solution = np.zeros(problems.shape)
    shares = np.clip((problems.weights * problems.targets).sum(axis=-1, dtype=np.float64), 1e-6, 1 - 1e-6)
    solution[..., -1] = np.log(shares) if problems.link == "softmax" else np.log(shares / (1 - shares))
    return solution


def solve(problems: Problems, penalty: float, begin: Solution, patience: Patience = TIGHT) -> Solution:
    """Minimise all problems at one penalty, starting at the solution of another.

    Args:
        problems: what to solve.
        penalty: ridge penalty on the weights, relative to a mean loss; scikit-learn's C is `1 / (penalty * texts)`.
        begin: float64 `[problems, outputs, rank + 1]`.
        patience: when to stop.

    Returns:
        float64 `[problems, outputs, rank + 1]`.
    """
    scaling = _scaling(problems, penalty, begin)
    ridge = np.full(problems.shape[-1], penalty)
    ridge[-1] = 0.0

    def objective(flat: Float[np.ndarray, " all"]) -> tuple[float, Float[np.ndarray, " all"]]:
        solution = flat.reshape(problems.shape) * scaling
        loss, slope = _loss(problems, solution)
        shrunk = ridge * solution
        slope += shrunk
        slope *= scaling
        return loss + 0.5 * float(np.vdot(shrunk, solution)), slope.ravel()

    found = minimize(
        objective,
        (begin / scaling).ravel(),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxcor": MEMORY,
            "gtol": patience.gradient,
            "ftol": patience.decrease,
            "maxiter": patience.steps,
        },
    )
    solution: Solution = found.x.reshape(problems.shape) * scaling
    if problems.link == "softmax":
        # Only differences between classes count; without this, biases would keep whatever sum they had on the way.
        solution -= solution.mean(axis=1, keepdims=True)
    return solution


def chances(link: Link, logits: Float32[np.ndarray, "problems outputs texts"]) -> Float32[np.ndarray, "..."]:
    """Logits to probabilities in place, outputs on axis 1."""
    if link == "sigmoid":
        expit(logits, out=logits)
        return logits
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def _loss(problems: Problems, solution: Solution) -> tuple[float, Solution]:
    """Summed weighted loss of all problems, and its slope `[problems, outputs, places]`."""
    count, outputs, places = problems.shape
    logits = problems.logits(solution)
    if problems.link == "softmax":
        logits -= logits.max(axis=1, keepdims=True)
        right = np.einsum("pkn,kn->pn", logits, problems.targets)
        np.exp(logits, out=logits)
        sums = logits.sum(axis=1)
        loss = np.vdot(problems.weights[:, 0], (np.log(sums) - right))
        logits /= sums[:, None]
    else:
        losses = np.logaddexp(0, logits) - logits * problems.targets
        loss = np.vdot(np.broadcast_to(problems.weights, losses.shape), losses)
        expit(logits, out=logits)
    logits -= problems.targets
    logits *= problems.weights
    errors = logits.reshape(count * outputs, -1)
    slope = np.empty(problems.shape)
    slope[..., :-1] = (errors @ problems.rows.rows).reshape(count, outputs, places - 1)
    slope[..., -1] = errors.sum(axis=1, dtype=np.float64).reshape(count, outputs)
    return float(loss), slope


def _scaling(problems: Problems, penalty: float, solution: Solution) -> Solution:
    """One over the root of the Hessian's approximate diagonal `[problems, outputs, places]`, where the path stands."""
    probable = chances(problems.link, problems.logits(solution))
    probable *= 1 - probable
    curvature = (probable * problems.weights).sum(axis=-1, dtype=np.float64)
    curvature = np.maximum(curvature, LEAST_CURVATURE)[..., None]
    variances = np.append(problems.rows.variances, 1.0)
    ridge = np.full(variances.size, penalty)
    ridge[-1] = 0.0
    scaling: Solution = 1.0 / np.sqrt(curvature * variances + ridge)
    return scaling
