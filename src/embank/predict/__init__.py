"""Loaded tasks, and their outputs for a block of texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embank.arrays import Outputs
from embank.heads.served import ServedHead


@dataclass(frozen=True, eq=False, kw_only=True)
class LoadedTask:
    """A task that is ready to predict.

    Attributes:
        name: of the task.
        head: what predicts.
        columns: names of the columns that it reads, in the order of its weights.
        reads: TOGETHER or APART.
        record: what `fit` recorded.
    """

    name: str
    head: ServedHead
    columns: tuple[str, ...]
    reads: str
    record: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class TaskOutputs:
    """The outputs of one task for a block of texts.

    Attributes:
        task: which.
        outputs: of its head, for the texts that have rows in all its columns.
        rows: for each text of the block, its row in `outputs`, or -1.
    """

    task: LoadedTask
    outputs: Outputs
    rows: np.ndarray
