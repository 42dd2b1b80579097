"""Source tasks as datasets: labels read, rows split, texts tokenised; for multi-task training and for prefixes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from embank.encode.default_columns import DEFAULTS
from embank.encoders.torch import TransformerEncoder
from embank.errors import HeadError, UsageError
from embank.fit import Examples
from embank.fit.examples import collect
from embank.fit.objective import objective_for
from embank.fit.source_tasks import Reads, Source, SourceScore, SourceSettings
from embank.labels.kinds import APART, POOLED
from embank.labels.read import Labels, read_labels
from embank.labels.words import words_fault, words_text
from embank.models.shared import HeadShape, SharedEncoder
from embank.texts import Text, numbered
from embank.training.checkpoint import training_identity
from embank.training.datasets import Inputs, LabelledDataset, Which
from embank.training.objectives import Targets, TaskObjective
from embank.training.outputs import Trainable, on_device
from embank.training.precision import precision
from embank.training.supervised import LabelledSplit
from embank.training.token_inputs import TokenInputs

_SAMPLE = 512
"""Texts by which the raw encoder's dimensions are brought to one scale."""

_SAMPLE_BATCH = 32


@dataclass(frozen=True, eq=False)
class SourceInputs:
    """One source's token numbers, and the number of the source, for a `SharedEncoder`.

    Attributes:
        number: of the source.
        first: its texts.
        second: the second texts where two are read apart, or None.
    """

    number: int
    first: TokenInputs
    second: TokenInputs | None = None

    @property
    def lengths(self) -> Int64[np.ndarray, " examples"]:
        """Tokens of each example; of the longer text where there are two."""
        if self.second is None:
            return self.first.lengths
        longer: Int64[np.ndarray, " examples"] = np.maximum(self.first.lengths, self.second.lengths)
        return longer

    def inputs(self, which: Which) -> Inputs:
        """What the module reads of some examples: second texts stand below the first ones."""
        found = dict(self.first.inputs(which))
        if self.second is not None:
            below = self.second.inputs(which)
            length = max(found["input_ids"].shape[1], below["input_ids"].shape[1])
            found = {
                name: torch.cat([self._wide(name, tensor, length), self._wide(name, below[name], length)])
                for name, tensor in found.items()
            }
        found["source"] = torch.tensor(self.number)
        return found

    def _wide(self, name: str, tensor: torch.Tensor, length: int) -> torch.Tensor:
        fill = self.first.padding if name == "input_ids" else 0
        return torch.nn.functional.pad(tensor, (0, length - tensor.shape[1]), value=fill)


@dataclass(frozen=True, eq=False, kw_only=True)
class SourceDataset:
    """A source task that is ready to be trained on.

    Attributes:
        name: of the task.
        inputs: of its examples.
        objective: of the examples.
        train: numbers of the examples that are trained on.
        held_back: numbers of those that validate.
        weight: of its loss, the number of its classes accounted for.
        labels: names of its classes.
        digest: of its texts, labels and split.
    """

    name: str
    inputs: SourceInputs
    objective: TaskObjective
    train: Which
    held_back: Which
    weight: float
    labels: tuple[str, ...]
    digest: str

    @property
    def all(self) -> LabelledDataset[Targets]:
        """All examples, those that validate included."""
        return LabelledDataset(self.inputs, self.objective)

    @property
    def split(self) -> LabelledSplit:
        """The examples as training on this task alone takes them."""
        return LabelledSplit(self.inputs, self.objective, self.train, self.held_back)

    @property
    def head(self) -> HeadShape:
        """The head that the source needs on a `SharedEncoder`."""
        return HeadShape(self.objective.kind, self.objective.n_outputs, self.inputs.second is not None)

    def score(self, module: Trainable, frozen: float | None = None) -> SourceScore:
        """How good a module is that was trained on it; `frozen` is the score before all but the head was trained."""
        objective = self.objective
        return SourceScore(
            name=self.name,
            kind=objective.kind,
            labels=len(self.labels),
            rows=len(self.train),
            held_back=len(self.held_back),
            measure=objective.primary,
            score=self.split.validate(module),
            guess=objective.guess(self.train, self.held_back)[objective.primary],
            frozen=frozen,
        )


def readouts_of(encoder: TransformerEncoder, reads: Reads) -> tuple[tuple[int, str], ...]:
    """Layer and pooling of what source heads read."""
    if reads == "last":
        return ((encoder.n_layers, encoder.pooling),)
    return tuple(dict.fromkeys((max(1, round(depth * encoder.n_layers)), pooling) for depth, pooling in DEFAULTS))


def source_dataset(encoder: TransformerEncoder, number: int, source: Source, settings: SourceSettings) -> SourceDataset:
    """Read one source: its labels, its split, its texts as token numbers.

    Raises:
        UsageError: labels of another kind, or a row that is not a pair where pairs are read.
        HeadError: too few labels, or no text to validate on.
    """
    labels, examples, contents = _examples(source, settings.seed)
    train, held_back = _parts(examples.held_back, settings)
    firsts, seconds = contents, None
    if source.reads == APART:
        firsts, seconds = [text[0] for text in contents], [text[1] for text in contents]
    try:
        objective, names = objective_for(Labels(labels.kind, tuple(examples.values)), firsts, train, encoder)
    except HeadError as fault:
        raise HeadError(f"source {source.name!r}: {fault}") from fault
    below = None if seconds is None else TokenInputs(encoder, seconds)
    # A loss over many classes is longer than one over two: divided by that of guessing (MUPPET, 2101.11038, section 3).
    classes = objective.n_outputs if labels.kind in ("single", "tagging") else 2
    return SourceDataset(
        name=source.name,
        inputs=SourceInputs(number, TokenInputs(encoder, firsts), below),
        objective=objective,
        train=train,
        held_back=held_back,
        weight=source.weight * (math.log(2) / math.log(max(2, classes))),
        labels=names,
        digest=training_identity(
            {"name": source.name, "texts": contents, "labels": examples.values, "train": train.tolist()}
        ),
    )


def sample_vectors(module: SharedEncoder, sources: Sequence[SourceDataset]) -> torch.Tensor:
    """Vectors of the raw encoder, `[texts, width]`, on as many texts of each source that is pooled; none of others."""
    pooled = [source for source in sources if source.objective.kind in POOLED]
    found = [torch.zeros(1, module.centre.shape[0])] if not pooled else []
    module.train(mode=False)
    with torch.inference_mode():
        for source in pooled:
            which = source.train[: max(1, _SAMPLE // len(pooled))]
            for start in range(0, len(which), _SAMPLE_BATCH):
                inputs = on_device(source.inputs.first.inputs(which[start : start + _SAMPLE_BATCH]), module)
                with precision():
                    found.append(module.vectors(**inputs).float().cpu())
    every = torch.cat(found)
    return every if len(every) > 1 else torch.cat([every - 1, every + 1])


def _examples(source: Source, seed: int) -> tuple[Labels, Examples, list[Any]]:
    """Texts that are labelled and sound, each once, with their split."""
    given, held = (source.validation or ((), ())), len(source.texts)
    texts = [_as_text(text, source) for text in (*source.texts, *given[0])]
    try:
        labels = read_labels([*source.labels, *given[1]], source.kind, texts)
    except (HeadError, UsageError) as fault:
        raise type(fault)(f"source {source.name!r}: {fault}") from fault
    distinct = numbered(texts)
    try:
        found, _ = collect(distinct.rows, None, labels, seed)
    except HeadError as fault:
        raise HeadError(f"source {source.name!r}: {fault}") from fault
    held_back: Sequence[bool] = found.held_back
    if source.validation is not None:
        own = {number for number in distinct.rows[:held] if number >= 0}
        held_back = [number not in own for number in found.texts.tolist()]
        if all(held_back) or not any(held_back):
            raise HeadError(f"source {source.name!r}: no text is left to validate on that is not trained on as well")
    examples = Examples(found.texts, None, found.values, held_back)
    return labels, examples, [distinct.texts[number] for number in found.texts.tolist()]


def _parts(held_back: Sequence[bool], settings: SourceSettings) -> tuple[Which, Which]:
    """Numbers of the examples that are trained on and that validate, no more of them than the settings allow."""
    held = np.array(held_back, np.bool_)
    random = np.random.default_rng(settings.seed)
    train, back = random.permutation(np.flatnonzero(~held)), random.permutation(np.flatnonzero(held))
    return np.sort(train[: settings.most]), np.sort(back[: settings.validate])


def _as_text(
    text: Text | Sequence[str] | np.ndarray | None, source: Source
) -> Text | Sequence[str] | np.ndarray | None:
    """A list of words as the text that they make; a pair as it is.

    Raises:
        UsageError: a source that reads pairs apart has a row that is not a pair.
    """
    if source.kind == "tagging" and not isinstance(text, str) and text is not None:
        words = text.tolist() if isinstance(text, np.ndarray) else text
        return words_text(words) if not words_fault(words) else None
    if source.reads == APART and not (isinstance(text, tuple) and len(text) == 2):  # noqa: PLR2004
        raise UsageError(f"source {source.name!r} reads pairs apart and has {text!r:.60}, expected a pair of texts")
    return text
