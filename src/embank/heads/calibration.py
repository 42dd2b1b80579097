"""Temperature scaling: the one number that calibrates held-back logits (Guo et al. 2017)."""

import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from embank.errors import HeadError
from embank.labels.kinds import Kind

COLDEST, HOTTEST = 0.05, 20.0
"""The bounds of a temperature: far beyond what was seen, so that they only stop a search that diverges."""

SPREAD = 0.5
"""Standard deviation of log T before any row was seen. A dozen rows that all came out right would otherwise lead to a
temperature of zero and probabilities of one; a hundred rows overrule it."""


def temperature(logits: Float[np.ndarray, "texts outputs"], truth: ArrayLike, kind: Kind) -> float:
    """The temperature that minimises the negative log-likelihood of held-back logits, with a weak prior around 1.

    Args:
        logits: `[texts, outputs]`, of rows that were not trained on.
        truth: int `[texts]` class numbers for `single`, a 0/1 matrix `[texts, outputs]` for `multi`.
        kind: `single` or `multi`.

    Returns:
        a number between 0.05 and 20; 1 without rows to learn it from.

    Raises:
        HeadError: a regression has no temperature, or logits and labels do not fit together.
    """
    if kind == "regression":
        raise HeadError("found a regression, expected kind single or multi; numbers are not calibrated")
    outputs = np.asarray(logits, dtype=np.float64)
    labels = np.asarray(truth)
    if len(outputs) != len(labels):
        raise HeadError(f"found {len(outputs)} rows of logits and {len(labels)} labels, expected as many of each")
    if outputs.size == 0:
        return 1.0
    found = minimize_scalar(
        lambda log: len(outputs) * nll(outputs / np.exp(log), labels, kind) + (log / SPREAD) ** 2 / 2,
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
    )
    return float(np.exp(found.x))


def nll(logits: Float[np.ndarray, "texts outputs"], truth: Shaped[np.ndarray, "..."], kind: Kind) -> float:
    """Mean negative log-likelihood, in nats per decision (for multi: per label of a text)."""
    if kind == "single":
        return float(-log_softmax(logits, axis=1)[np.arange(len(logits)), truth].mean())
    return float((np.logaddexp(0, logits) - logits * truth).mean())
