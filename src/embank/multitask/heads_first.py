"""Linear heads on an encoder as it is, before anything of it is trained.

Heads that begin at random pull the encoder to wherever they happen to point; heads that are already right leave it
alone where it serves. Kumar et al. 2022, Fine-Tuning can Distort Pretrained Features and Underperform
Out-of-Distribution (2202.10054): linear probing first, fine-tuning then.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from embank.labels.kinds import POOLED
from embank.models.shared import SharedEncoder
from embank.multitask.dataset import Taught
from embank.training.datasets import in_stretches
from embank.training.fit import taught
from embank.training.loop import on_device
from embank.training.objectives import Which
from embank.training.precision import precision

_MOST = 2_000
"""Examples of a source that a first head is learned on: what they read is kept in memory."""

_MOST_TOKENS = 100_000
"""The same where a head reads tokens."""

_BUDGET = 4096
"""Tokens in a batch."""

_PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4)
_ITERATIONS = 100

Read = tuple[torch.Tensor, Which]
"""What a head reads of some examples, and their numbers."""


def learn_head(module: SharedEncoder, source: Taught) -> float:
    """Give the head of a source the weights that a linear head has on the encoder as it is.

    Its penalty is chosen by the source's validation rows.

    Returns:
        Their score.
    """
    head: Any = module.heads[source.lessons.number]
    train, held = list(_read(module, source, probed(source))), list(_read(module, source, source.held_back))
    best, kept = -float("inf"), dict(head.state_dict())
    for penalty in _PENALTIES:
        _fit(head, source, train, penalty)
        score = _score(head, source, held)
        if score > best:
            best, kept = score, {name: tensor.clone() for name, tensor in head.state_dict().items()}
    head.load_state_dict(kept)
    return best


def probed(source: Taught) -> Which:
    """Training examples that a first head is learned on: all of them, or some from throughout."""
    most = float(_MOST)
    if source.objective.kind not in POOLED:
        most = min(most, _MOST_TOKENS / max(1.0, float(source.lessons.lengths[source.train].mean())))
    places = np.linspace(0, len(source.train) - 1, max(1, min(len(source.train), int(most))))
    return source.train[np.unique(places.astype(np.int64))]


def _read(module: SharedEncoder, source: Taught, which: Which) -> Iterator[Read]:
    module.train(mode=False)
    lessons = source.lessons
    for places in in_stretches(lessons.lengths[which], _BUDGET):
        with torch.no_grad(), precision():
            yield module.read(**on_device(lessons.inputs(which[places]), module)), which[places]


def _fit(head: Any, source: Taught, train: list[Read], penalty: float) -> None:
    count = sum(len(which) for _, which in train)
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        total: torch.Tensor = penalty / 2 * head.weight.square().sum()
        for read, which in train:
            total = total + taught(source.objective, source.lessons, head(read), which) * (len(which) / count)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(closure)  # type: ignore[no-untyped-call]


def _score(head: Any, source: Taught, held: list[Read]) -> float:
    found: dict[int, np.ndarray] = {}
    with torch.no_grad():
        for read, which in held:
            for at, row in zip(which.tolist(), head(read).float().cpu().numpy(), strict=True):
                found[at] = row if row.ndim == 1 else row[: source.lessons.lengths[at]]
    outputs = [found[at] for at in source.held_back.tolist()]
    return source.objective.measure(source.held_back, outputs)[source.objective.primary]
