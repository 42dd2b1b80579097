"""Learning rates: of each step, and of each group of parameters."""

from typing import Any

import torch

from embank.training.settings import TrainingSettings

_WARM = 100
"""Steps of warm-up, or a tenth of all where that is fewer."""

_OUTPUTS = ("output.", "heads.")
"""How names of parameters begin that were drawn at random, and not trained before."""

_OUTPUT_RATE = 2e-3
"""The least learning rate of these (bench/log/2026-11.md)."""


def learning_rate(settings: TrainingSettings, step: int, steps: int) -> float:
    """Learning rate of a step: linear warm-up from nothing, then linear decay to nothing."""
    warm = max(1, min(_WARM, steps // 10))
    rate = settings.rate or 0.0
    return rate * min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))


def parameter_groups(
    weights: dict[str, torch.nn.Parameter], settings: TrainingSettings, *, random_outputs: bool
) -> list[dict[str, Any]]:
    """Parameters with their share of the learning rate, for a torch optimiser.

    Args:
        weights: what is trained, by name.
        settings: with the learning rate.
        random_outputs: whether output layers begin from random weights; these then take larger steps.
    """
    new = {name: parameter for name, parameter in weights.items() if random_outputs and name.startswith(_OUTPUTS)}
    old = [parameter for name, parameter in weights.items() if name not in new]
    share = max(1.0, _OUTPUT_RATE / (settings.rate or 1.0))
    groups = [{"params": old, "share": 1.0}, {"params": list(new.values()), "share": share}]
    return [{**group, "lr": 1.0} for group in groups if group["params"]]
