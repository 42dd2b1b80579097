"""Linear heads on an encoder before it is trained (linear probing).

Random heads pull the encoder in random directions; heads that are already right leave it alone where it serves. Kumar
et al. 2022, Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution (2202.10054): linear
probing first, fine-tuning then.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from embank.fit.source_datasets import SourceDataset
from embank.labels.kinds import POOLED
from embank.models.shared import SharedEncoder
from embank.training.datasets import Which, batches_by_length
from embank.training.objectives import Targets
from embank.training.outputs import on_device
from embank.training.precision import precision

_MOST = 2_000
"""Examples of a source that a first head is learned on: the head's inputs are kept in memory."""

_MOST_TOKENS = 100_000
"""The same where a head reads tokens."""

_BUDGET = 4096
"""Tokens in a batch."""

_PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4)
_ITERATIONS = 100


@dataclass(frozen=True, eq=False)
class HeadBatch:
    """Inputs of a head for some examples, `[batch, inputs]` or `[batch, length, inputs]`.

    Attributes:
        vectors: inputs of the head.
        targets: of these examples.
        which: their numbers.
    """

    vectors: torch.Tensor
    targets: Targets
    which: Which


def learn_head(module: SharedEncoder, source: SourceDataset) -> float:
    """Give the head of a source the weights that a linear head has on the encoder as it is.

    Its penalty is chosen by the source's validation rows.

    Returns:
        Their score.
    """
    head = module.head(source.inputs.number)
    train, held = list(_read(module, source, probed(source))), list(_read(module, source, source.held_back))
    best, kept = -float("inf"), dict(head.state_dict())
    for penalty in _PENALTIES:
        _fit(head, source, train, penalty)
        score = _score(head, source, held)
        if score > best:
            best, kept = score, {name: tensor.clone() for name, tensor in head.state_dict().items()}
    head.load_state_dict(kept)
    return best


def probed(source: SourceDataset) -> Which:
    """Training examples that a first head is learned on: all of them, or some from throughout."""
    most = float(_MOST)
    if source.objective.kind not in POOLED:
        most = min(most, _MOST_TOKENS / max(1.0, float(source.inputs.lengths[source.train].mean())))
    places = np.linspace(0, len(source.train) - 1, max(1, min(len(source.train), int(most))))
    return source.train[np.unique(places.astype(np.int64))]


def _read(module: SharedEncoder, source: SourceDataset, which: Which) -> Iterator[HeadBatch]:
    module.train(mode=False)
    dataset = source.all
    for places in batches_by_length(dataset.lengths[which], _BUDGET):
        inputs, targets = dataset[which[places]]
        with torch.no_grad(), precision():
            yield HeadBatch(module.read(**on_device(inputs, module)), targets, which[places])


def _fit(head: torch.nn.Linear, source: SourceDataset, train: list[HeadBatch], penalty: float) -> None:
    count = sum(len(batch.which) for batch in train)
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        total: torch.Tensor = penalty / 2 * head.weight.square().sum()
        for batch in train:
            total = total + source.objective.loss(head(batch.vectors), batch.targets) * (len(batch.which) / count)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(closure)  # type: ignore[no-untyped-call]


def _score(head: torch.nn.Linear, source: SourceDataset, held: list[HeadBatch]) -> float:
    found: dict[int, np.ndarray] = {}
    with torch.no_grad():
        for batch in held:
            for at, row in zip(batch.which.tolist(), head(batch.vectors).float().cpu().numpy(), strict=True):
                found[at] = row if row.ndim == 1 else row[: source.inputs.lengths[at]]
    outputs = [found[at] for at in source.held_back.tolist()]
    return source.objective.measure(source.held_back, outputs)[source.objective.primary]
