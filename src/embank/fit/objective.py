"""Examples as what a tail, or a whole encoder, is trained for; shared by everything that trains layers."""

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from embank.errors import HeadError
from embank.fit import Examples
from embank.fit.examples import pack
from embank.fit.targets import targets_of
from embank.labels.answers import Answer
from embank.labels.kinds import POOLED, Kind
from embank.labels.tags import tag_names
from embank.optional import load
from embank.texts import Text

Measure = Callable[[np.ndarray, Any], dict[str, float]]
"""Numbers of examples and a tail's outputs on them, to measures."""


def objective_for(
    task: tuple[Kind, Sequence[Any]],
    contents: Sequence[Text],
    train: np.ndarray,
    encoder: Any,
    names: tuple[str, ...] | None = None,
) -> tuple[Any, tuple[str, ...]]:
    """What is asked of examples, and the names of classes, labels or tags.

    Args:
        task: kind, and one value an example.
        contents: the texts; kinds that are pooled do not look at them.
        train: numbers of the examples that are trained on.
        encoder: the torch encoder; kinds that read tokens ask its tokenizer where they stand.
        names: known before, for rows that are only tested on.

    Raises:
        HeadError: one class only, or tags that are not one a word.
    """
    kind, values = task
    objectives = load("embank.training.objectives", "torch")
    if kind in POOLED:
        y, labels = targets_of(kind, values, names)
        if kind == "single" and names is None and len(set(y[train].tolist())) < 2:  # noqa: PLR2004 - two classes
            raise HeadError(f"all rows that may be trained on have the label {y[train][0]!r}; add others")
        return objectives.PooledObjective(kind, y, labels, train), labels
    places = encoder.tokenizing.places(contents)
    if kind == "span":
        answers = [value if isinstance(value, Answer) else Answer(*map(tuple, value)) for value in values]
        return objectives.SpanObjective(answers, contents, places), ()
    for text, tags in zip(contents, values, strict=True):
        if not isinstance(text, str) or len(text.split()) != len(tags):
            found = f"{len(tags)} tags for {text!r:.60}"
            raise HeadError(f"found {found}; tags are one a word, and words are what white space divides")
    words = [objectives.words_of(text, own) for text, own in zip(contents, places, strict=True)]
    tags_there = tag_names(values) if names is None else names
    return objectives.TaggingObjective(values, tags_there, words), tags_there


def measure_of(objective: Any, learned: Mapping[str, Any]) -> Measure:
    """How outputs are measured: decided with what was learned on held-back examples."""
    if objective.kind not in POOLED:
        return lambda which, outputs: dict(objective.measure(which, outputs))
    head = objective.served(learned)
    return lambda which, outputs: dict(objective.measure_served(head, which, outputs))


def identity_of(parts: Sequence[Any], examples: Examples) -> str:
    """Digest of all that decides the outcome of a training."""
    digest = blake2b(json.dumps(parts, sort_keys=True, default=str).encode(), digest_size=16)
    digest.update(pack(examples))
    return digest.hexdigest()
