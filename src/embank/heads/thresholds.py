"""Offsets that are added to logits before a decision, so that rare labels are decided more often.

They are chosen on held-back logits for macro-F1, and only if they raise it clearly; probabilities stay calibrated
(the post-hoc form of logit adjustment, Menon et al. 2021).
"""

import numpy as np
from jaxtyping import Float, Int64, Shaped
from sklearn.metrics import f1_score

from embank.arrays import Mask

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Which share of the log prior may be taken off."""

CLEARLY = 0.01
"""How much macro-F1, as a fraction, offsets have to win on held-back rows."""

SHIFTS = tuple(float(shift) for shift in np.linspace(-0.5, 3.0, 15))
"""How far, in logits, the threshold of a label may be moved; to the left of 0 only a little."""


def single_offsets(
    held_back: Float[np.ndarray, "texts classes"], truth: Int64[np.ndarray, " texts"]
) -> tuple[float, ...]:
    """Offsets for a choice among classes: a share of the negative log prior, zero unless it clearly pays."""
    shares = np.bincount(truth, minlength=held_back.shape[1]) / len(truth)
    rarity = -np.log(np.maximum(shares, 0.5 / len(truth)))
    rarity -= rarity.mean()
    scores = [_macro(truth, (held_back + share * rarity).argmax(axis=1)) for share in SHARES]
    best = int(np.argmax(scores))
    share = SHARES[best] if scores[best] >= scores[0] + CLEARLY else 0.0
    return tuple(share * float(one) for one in rarity)


def multi_offsets(
    held_back: Float[np.ndarray, "texts labels"], truth: Shaped[np.ndarray, "texts labels"]
) -> tuple[float, ...]:
    """Offsets for labels that are each decided alone: one shift for each, zero unless it clearly pays."""
    return tuple(_shift(held_back[:, label], truth[:, label]) for label in range(held_back.shape[1]))


def _shift(logits: Float[np.ndarray, " texts"], truth: Shaped[np.ndarray, " texts"]) -> float:
    """The shift of one label that brings its F1 clearly up."""
    scores = {shift: _f1(truth, logits + shift > 0) for shift in (0.0, *SHIFTS)}
    best = max(scores, key=lambda shift: scores[shift])
    return best if scores[best] >= scores[0.0] + CLEARLY else 0.0


def _macro(truth: Int64[np.ndarray, " texts"], decided: Int64[np.ndarray, " texts"]) -> float:
    return float(f1_score(truth, decided, average="macro", zero_division=0.0))


def _f1(truth: Shaped[np.ndarray, " texts"], decided: Mask) -> float:
    """F1 of one label; 0 if it neither occurs nor is decided."""
    both = 2.0 * float(np.sum((truth > 0) & decided))
    either = float(np.sum(truth > 0) + np.sum(decided))
    return both / either if either else 0.0
