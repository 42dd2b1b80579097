"""Losses by kind of task: a mean over texts, labels or tokens, in float32."""

import torch

from embank.errors import UsageError
from embank.labels.kinds import POOLED, Kind
from embank.labels.tags import IGNORED


def class_loss(kind: Kind, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The loss of a whole text's outputs.

    Args:
        kind: "single", "multi" or "regression".
        logits: `[batch, outputs]`.
        targets: class numbers `[batch]`; 0 and 1, `[batch, labels]`; numbers `[batch]` or `[batch, outputs]`.

    Returns:
        Cross entropy; binary cross entropy; squared error.

    Raises:
        UsageError: an unknown kind.
    """
    logits, targets = logits.float(), targets.to(logits.device)
    if kind == "single":
        return torch.nn.functional.cross_entropy(logits, targets)
    if kind == "multi":
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets.float())
    if kind == "regression":
        return torch.nn.functional.mse_loss(logits, targets.float().reshape(logits.shape))
    raise UsageError(f"unknown kind {kind!r}: a text as a whole has {', '.join(POOLED)}")


def tagging_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross entropy of tokens.

    Args:
        logits: `[batch, length, labels]`.
        targets: label numbers `[batch, length]`, IGNORED at tokens that bear no label.
    """
    targets = targets.to(logits.device)
    return _cross_entropy(logits.float().flatten(0, 1), targets.flatten())


def span_loss(logits: torch.Tensor, targets: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
    """The sum of the cross entropies of first and last token.

    Args:
        logits: `[batch, length, 2]`.
        targets: places of the first and last token `[batch, 2]`, IGNORED otherwise. The loss of a place that
            is not allowed is infinite.
        allowed: `[batch, length]`, 0 where no span may begin or end.
    """
    targets, allowed = targets.to(logits.device), allowed.to(logits.device)
    inside = logits.float().masked_fill((allowed == 0).unsqueeze(-1), float("-inf"))
    return _cross_entropy(inside[..., 0], targets[:, 0]) + _cross_entropy(inside[..., 1], targets[:, 1])


def _cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean over targets that are not ignored; 0 where all are, and not a division by zero."""
    total = torch.nn.functional.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum")
    return total / (targets != IGNORED).sum().clamp_min(1)
