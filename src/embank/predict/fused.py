"""All heads of a bank as one: first layers laid side by side, one matrix product for each column over one scan.

What a codec would do to decode a row (a scale, an offset, a centre) is folded into the weights instead, so that stored
rows are only cast, never decoded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embank.arrays import Outputs, TextIds
from embank.codecs import Codec
from embank.heads import paired
from embank.labels.kinds import APART, TOGETHER
from embank.predict import LoadedTask, TaskOutputs
from embank.store.folder import Store
from embank.store.vectors import codec_of, decoded

_STRETCH = 2048
"""Texts whose rows are cast to float32 and multiplied at a time, so that they stay in a core's cache."""


@dataclass(frozen=True, eq=False)
class _Fused:
    """One column with the folded weights of all heads that read it.

    Attributes:
        codec: of the column.
        weights: `[width, outputs]`, for the outputs in `places` only.
        places: which of all outputs these are; a slice where they lie side by side.
    """

    codec: Codec
    weights: np.ndarray
    places: slice | np.ndarray


class FusedHeads:
    """Predicts with any number of tasks at once. It keeps no state between blocks, so threads may share it."""

    def __init__(self, store: Store, tasks: Sequence[LoadedTask]) -> None:
        """Lay the tasks' first layers side by side."""
        self.tasks = list(tasks)
        self._together = [task for task in tasks if task.reads == TOGETHER]
        self._apart = [task for task in tasks if task.reads == APART]
        names = dict.fromkeys(name for task in tasks for name in task.columns)
        columns = store.catalogue.columns()
        self.readers = {name: store.reader(name) for name in names}
        self._codecs = {name: codec_of(store, columns[name]) for name in names}
        ends = np.cumsum([task.head.layers[0].outputs for task in self._together], dtype=int)
        self._slices = [
            slice(int(end) - task.head.layers[0].outputs, int(end))
            for end, task in zip(ends, self._together, strict=True)
        ]
        self._bias = np.zeros(int(ends[-1]) if len(ends) else 0, np.float32)
        self._fused = {name: self._fuse(name) for name in names if any(name in task.columns for task in self._together)}

    def _fuse(self, name: str) -> _Fused:
        codec = self._codecs[name]
        blocks, places = [], []
        for task, own in zip(self._together, self._slices, strict=True):
            if name not in task.columns:
                continue
            first = task.head.layers[0]
            before = sum(self._codecs[other].width for other in task.columns[: task.columns.index(name)])
            weights, bias = codec.fold(
                first.weights[before : before + codec.width], np.zeros(first.outputs, np.float32)
            )
            self._bias[own] += bias + (first.bias if before == 0 else 0)
            blocks.append(weights)
            places.append(np.arange(own.start, own.stop))
        where = np.concatenate(places)
        run = len(where) == int(where[-1] - where[0]) + 1
        return _Fused(
            codec, np.ascontiguousarray(np.hstack(blocks)), slice(int(where[0]), int(where[-1]) + 1) if run else where
        )

    def predict(self, texts: TextIds, seconds: TextIds | None = None) -> list[TaskOutputs]:
        """Outputs of every task for a block of texts.

        Args:
            texts: numbers of texts.
            seconds: for tasks that read two texts apart, the numbers of the second ones.

        Returns:
            One entry per task, in the order given; tasks that read apart are left out where there are no `seconds`.
        """
        there = {name: reader.has(texts) for name, reader in self.readers.items()}
        found: dict[str, TaskOutputs] = {}
        if self._together:
            found.update(self._predict_together(texts, there))
        if seconds is not None:
            others = {name: reader.has(seconds) for name, reader in self.readers.items()}
            for task in self._apart:
                whole = np.all([there[name] & others[name] for name in task.columns], axis=0)
                outputs = self._outputs_apart(task, texts[whole], seconds[whole])
                found[task.name] = TaskOutputs(task, outputs, _rows(whole))
        return [found[task.name] for task in self.tasks if task.name in found]

    def _predict_together(self, texts: TextIds, there: dict[str, np.ndarray]) -> dict[str, TaskOutputs]:
        # Only columns that heads read together count; with the usual bank, every text has all of them.
        whole = np.all([there[name] for name in self._fused], axis=0)
        if whole.all():
            first = self._first_layers(texts, list(self._fused))
            return {
                task.name: TaskOutputs(task, task.head.finish(first[:, own]), _rows(whole))
                for task, own in zip(self._together, self._slices, strict=True)
            }
        found = {}
        for task, own in zip(self._together, self._slices, strict=True):
            mine = np.all([there[name] for name in task.columns], axis=0)
            first = self._first_layers(texts[mine], list(task.columns))
            found[task.name] = TaskOutputs(task, task.head.finish(first[:, own]), _rows(mine))
        return found

    def _first_layers(self, texts: TextIds, names: Sequence[str]) -> Outputs:
        sums = np.empty((len(texts), len(self._bias)), np.float32)
        sums[:] = self._bias
        for name in names:
            fused = self._fused[name]
            rows = self.readers[name].gather(texts)
            for start in range(0, len(texts), _STRETCH):
                stretch = slice(start, start + _STRETCH)
                sums[stretch, fused.places] += fused.codec.raw(rows[stretch]) @ fused.weights
        return sums

    def _outputs_apart(self, task: LoadedTask, texts: TextIds, seconds: TextIds) -> Outputs:
        features = [
            paired(*(decoded(self.readers[name], self._codecs[name], numbers) for numbers in (texts, seconds)))
            for name in task.columns
        ]
        return task.head.outputs(np.hstack(features))


def _rows(mask: np.ndarray) -> np.ndarray:
    return np.where(mask, np.cumsum(mask) - 1, -1)
