"""Labels of all five kinds, read from a user's column: one value per row, and the names that occur."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from embank.errors import HeadError, UsageError
from embank.labels.answers import read_answers
from embank.labels.classes import guess_kind, read_classes
from embank.labels.kinds import KINDS, Kind
from embank.labels.tags import read_tags, tag_names
from embank.labels.words import words_fault


@dataclass(frozen=True)
class Labels:
    """A column of labels, understood.

    Attributes:
        kind: how it was read.
        values: one per row: a class name, a tuple of label names, a float, a tuple of tags, or an `Answer`; None for
            rows without a label.
    """

    kind: Kind
    values: tuple[Any, ...]

    @property
    def missing(self) -> int:
        """How many rows have no label."""
        return sum(value is None for value in self.values)

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, labels or tags that occur; empty for numbers and answers."""
        return names_of(self.kind, self.values)


def names_of(kind: Kind, values: Sequence[Any]) -> tuple[str, ...]:
    """The classes, labels or tags among the values of a kind, sorted (the tag "O" first); empty for the other kinds."""
    given = [value for value in values if value is not None]
    if kind == "single":
        return tuple(sorted(set(given)))
    if kind == "multi":
        return tuple(sorted({name for value in given for name in value}))
    return tag_names(given) if kind == "tagging" else ()


def read_labels(
    values: Sequence[Any],
    kind: str = "auto",
    texts: Sequence[Any] | None = None,
    kinds: Sequence[Kind] = KINDS,
) -> Labels:
    """Understand a column of labels.

    Lists, JSON lists, and strings with `|` between labels are several labels. In such a column an empty list or string
    means "none of them"; in every other column null, NaN and the empty string mean "not labelled".

    >>> read_labels(["spam", "ham", None]).values
    ('spam', 'ham', None)
    >>> read_labels(["a|b", "a", ""]).values
    (('a', 'b'), ('a',), ())
    >>> read_labels([0.5, 3, "7.25"]).kind
    'regression'
    >>> read_labels([["O", "B-city"]], "tagging", ["in Bonn"]).names
    ('O', 'B-city')

    Args:
        values: one per row, as the user wrote them.
        kind: one of `kinds`, or "auto", which chooses between "single", "multi" and "regression".
        texts: of the same rows: for "tagging" to count words, for "span" pairs of question and context.
        kinds: those that are accepted.

    Raises:
        UsageError: an unknown kind; answers without their contexts.
        HeadError: no row has a label, or a label does not fit the kind.
    """
    if kind not in ("auto", *kinds):
        raise UsageError(f"unknown kind of task {kind!r}; choose from: auto, {', '.join(kinds)}")
    if kind == "tagging":
        tags = read_tags(values)
        _refuse_other_counts(tags, texts)
        return Labels("tagging", tuple(tags))
    if kind == "span":
        return Labels("span", tuple(read_answers(values, _contexts(texts))))
    chosen = guess_kind(values) if kind == "auto" else next(known for known in KINDS if known == kind)
    return Labels(chosen, read_classes(values, chosen))


def _contexts(texts: Sequence[Any] | None) -> list[Any]:
    """The second halves of pairs; None for a row that is no pair.

    Raises:
        UsageError: no texts, or no pair among them.
    """
    if texts is None:
        raise UsageError("a span task needs its texts, question and context: give them, not only ids")
    contexts = [
        text[1] if isinstance(text, tuple | list) and len(text) == len(("question", "context")) else None
        for text in texts
    ]
    if contexts and not any(contexts):
        raise UsageError("a span task reads pairs, question and context: give both (--text and --pair)")
    return contexts


def _refuse_other_counts(tags: Sequence[tuple[str, ...] | None], texts: Sequence[Any] | None) -> None:
    """Refuse rows whose tags are more or fewer than their words.

    Raises:
        HeadError: there are such rows; the message counts them and shows the first.
    """
    strange: list[str] = []
    for row, (own, text) in enumerate(zip(tags, texts or (), strict=False)):
        words = text.split() if isinstance(text, str) else text
        if own is not None and isinstance(words, list) and not words_fault(words) and len(own) != len(words):
            strange.append(f"row {row} has {len(own)} tags and {len(words)} words")
    if strange:
        found = f"found {len(strange)} of {len(tags)} rows whose tags are not one per word; {strange[0]}"
        raise HeadError(f"{found}. Words are what white space divides; correct such rows, or set them to null")
