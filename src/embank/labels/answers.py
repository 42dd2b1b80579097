"""Answers of span extraction: as users write them, the tokens that cover them, and the best span of logits.

A text is a pair read together: a question, and the context that holds the answer. Tokens come as character offsets into
the context, with a mask that says which tokens are the context's.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int32

from embank.arrays import Cell
from embank.errors import HeadError, UsageError
from embank.labels import is_missing

NOWHERE = (-1, -1)
"""The token positions of a missing answer."""


@dataclass(frozen=True)
class Answer:
    """The right answers to a question, one per wording; no wording means that the context has no answer.

    Attributes:
        texts: the answers, as they stand in the context.
        starts: for each, the offset of its first character in the context.

    Raises:
        HeadError: not one start for each text.
    """

    texts: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse starts that belong to no text."""
        if len(self.texts) != len(self.starts):
            message = f"found {len(self.texts)} answers and {len(self.starts)} starts, expected one start per answer"
            raise HeadError(f"{message}; correct the row, or set it to null")


def read_answers(values: Sequence[Any], contexts: Sequence[Any]) -> list[Answer | None]:
    """Understand a column of answers.

    A row may be written as in SQuAD, `{"text": [...], "answer_start": [...]}`, with one of each or lists of them, or as
    a list of such; as JSON of either; or as a plain string or list of strings, of which the first occurrence in the
    context is meant. Starts count characters from 0. Empty strings and lists mean "no answer", null and NaN mean
    "not labelled", as does a row without a context.

    >>> read_answers(["Bonn", "", None], ["from Bingen to Bonn"] * 3)
    [Answer(texts=('Bonn',), starts=(15,)), Answer(texts=(), starts=()), None]
    >>> read_answers([{"text": ["i"], "answer_start": [6]}], ["from Bingen"])
    [Answer(texts=('i',), starts=(6,))]

    Raises:
        UsageError: not one context for each value.
        HeadError: an answer does not stand where it should in its context, a row cannot be understood, or none is
            labelled; the message counts such rows and shows the first.
    """
    if len(values) != len(contexts):
        raise UsageError(f"found {len(values)} answers and {len(contexts)} contexts, expected one context per answer")
    rows: list[Answer | None] = []
    faults: list[str] = []
    for row, (value, context) in enumerate(zip(values, contexts, strict=True)):
        try:
            rows.append(None if is_missing(value) or not isinstance(context, str) else _answer(value, context))
        except HeadError as fault:
            faults.append(f"row {row}: {fault}")
    if faults:
        found = f"found {len(faults)} of {len(values)} answers that do not fit their contexts; {faults[0]}"
        raise HeadError(f"{found}. Correct such rows, or set them to null")
    if not any(row is not None for row in rows):
        raise HeadError(f"none of the {len(rows)} rows has an answer: is it the right column?")
    return rows


def span_targets(
    answer: Answer | None,
    starts: Int32[np.ndarray, " tokens"],
    ends: Int32[np.ndarray, " tokens"],
    context_mask: Bool[np.ndarray, " tokens"],
) -> tuple[int, int]:
    """Find the tokens that cover an answer: of several, the first one that was read as a whole.

    Args:
        answer: the row's answer.
        starts: offsets of the tokens' first characters in the context.
        ends: offsets behind their last characters.
        context_mask: which tokens are the context's.

    Returns:
        The positions of the first and the last such token; (-1, -1) without an answer, if it reaches beyond
        what was read of the context, or if the tokenizer drops all its characters.
    """
    inside = context_mask & (starts < ends)
    if answer is None or not inside.any():
        return NOWHERE
    low, high = int(starts[inside].min()), int(ends[inside].max())
    for text, start in zip(answer.texts, answer.starts, strict=True):
        first, after = start + len(text) - len(text.lstrip()), start + len(text.rstrip())
        if low <= first and after <= high:
            covering = np.flatnonzero(inside & (starts < after) & (ends > first))
            if covering.size:
                return int(covering[0]), int(covering[-1])
    return NOWHERE


def best_span(
    start_logits: Float[np.ndarray, " tokens"],
    end_logits: Float[np.ndarray, " tokens"],
    context_mask: Bool[np.ndarray, " tokens"],
    most_tokens: int = 30,
) -> tuple[int, int, float]:
    """Choose the span of the highest probability, among those that lie inside the context.

    Args:
        start_logits: for each token, that the answer starts there.
        end_logits: for each token, that the answer ends there.
        context_mask: which tokens are the context's.
        most_tokens: the longest span that is considered.

    Returns:
        The positions of its first and last token, and its score: the probability of the start times that of the end,
        each a softmax over the context's tokens. (-1, -1, 0.0) where no token of the context was read. Of equals, the
        one that starts first, and of those the shortest.

    Raises:
        UsageError: a longest span of less than one token.
    """
    if most_tokens < 1:
        raise UsageError(f"found spans of at most {most_tokens} tokens, expected 1 or more; 30 is usual")
    if not context_mask.any():
        return (*NOWHERE, 0.0)
    begin, end = _log_softmax(start_logits, context_mask), _log_softmax(end_logits, context_mask)
    most = min(most_tokens, len(end))
    # Row i holds the ends that a span from token i may have: [tokens, most].
    ends = np.lib.stride_tricks.sliding_window_view(np.pad(end, (0, most - 1), constant_values=-np.inf), most)
    joint = begin[:, None] + ends
    first, length = np.unravel_index(int(joint.argmax()), joint.shape)
    return int(first), int(first + length), float(np.exp(joint[first, length]))


def span_text(
    context: str,
    starts: Int32[np.ndarray, " tokens"],
    ends: Int32[np.ndarray, " tokens"],
    first: int,
    last: int,
) -> str:
    """The characters of a context from the first token of a span to its last; "" for -1."""
    return "" if first < 0 else context[int(starts[first]) : int(ends[last])].strip()


def _log_softmax(
    logits: Float[np.ndarray, " tokens"], mask: Bool[np.ndarray, " tokens"]
) -> Float[np.ndarray, " tokens"]:
    """Logarithms of probabilities over the positions of a mask; minus infinity elsewhere."""
    allowed = np.where(mask, np.asarray(logits, np.float64), -np.inf)
    allowed -= allowed.max()
    allowed -= np.log(np.exp(allowed).sum())
    return allowed


def _answer(value: Cell, context: str) -> Answer | None:
    """Read one row; what does not fit is raised as a reason, for the list of them."""
    if isinstance(value, str):
        value = _parsed(value)
    given = list(_given(value))
    if any(text is None for text, _ in given):
        return None
    placed = [(text, _place(text, start, context)) for text, start in given if not _blank(text)]
    return Answer(tuple(text for text, _ in placed), tuple(start for _, start in placed))


def _given(value: Cell) -> Iterator[tuple[Any, Any]]:
    """The texts of a row with their starts, or None."""
    if isinstance(value, dict):
        if "text" not in value:
            raise HeadError(f'it has {value!r:.60}, expected "text" and "answer_start"')
        texts = [None] if value["text"] is None else _several(value["text"])
        starts = [] if value.get("answer_start") is None else _several(value["answer_start"])
        if len(texts) != len(starts) and starts:
            raise HeadError(f"it has {len(texts)} texts and {len(starts)} starts, expected one start per text")
        yield from zip(texts, starts or [None] * len(texts), strict=True)
    elif isinstance(value, list | tuple | np.ndarray):
        for one in value:
            yield from _given(one)
    else:
        yield value, None


def _place(text: Cell, start: Cell, context: str) -> int:
    """Where an answer stands, checked."""
    if not isinstance(text, str):
        raise HeadError(f"it has {text!r:.60}, expected the answer's text")
    somewhere = context.find(text)
    if start is None:
        if somewhere < 0:
            raise HeadError(f"{text!r:.60} does not stand in its context")
        return somewhere
    if isinstance(start, Integral) or (isinstance(start, float) and start.is_integer()):
        number = int(start)
        if number >= 0 and context.startswith(text, number):
            return number
    instead = f"it does at {somewhere}" if somewhere >= 0 else "nor anywhere else"
    raise HeadError(
        f"{text!r:.60} does not stand at {start!r} in its context, {instead}; starts count characters from 0"
    )


def _parsed(value: str) -> Any:
    """A string's JSON if that is an answer; otherwise the string itself."""
    if not value.lstrip().startswith(("{", "[")):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    if isinstance(found, dict):
        return found if "text" in found else value
    # A plain answer may be "[12]": only a list of answers is taken for one.
    return found if all(isinstance(one, str) or (isinstance(one, dict) and "text" in one) for one in found) else value


def _several(value: Cell) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | np.ndarray) else [value]


def _blank(text: Cell) -> bool:
    return isinstance(text, str) and not text.strip()
