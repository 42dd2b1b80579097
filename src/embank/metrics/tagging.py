"""Measures of predicted tags: entities by label and place, or the tag of each word if tags mark no entities."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from embank.errors import HeadError
from embank.labels.tags import CONTINUED, OUTSIDE, PREFIXES, Tags, split_tag


@dataclass(frozen=True, order=True)
class Entity:
    """A stretch of words with a label.

    Attributes:
        label: what it is, without its prefix.
        first: the number of its first word.
        last: the number of its last word, which belongs to it.
    """

    label: str
    first: int
    last: int


def entities(tags: Tags) -> list[Entity]:
    """Find the entities of one text, first to last.

    B-X opens; I-X carries on what B-X or I-X before it opened, and opens where nothing of its label goes on: so BIO2
    and IOB1 are both read, as conlleval does (Tjong Kim Sang and De Meulder 2003) and seqeval where no scheme is
    given. E-X closes and S-X stands alone, in sets that have them. Anything else is outside.

    >>> entities(["B-city", "I-city", "O", "I-name"])
    [Entity(label='city', first=0, last=1), Entity(label='name', first=3, last=3)]
    """
    found: list[Entity] = []
    before, going = OUTSIDE, ""
    for place, tag in enumerate(tags):
        prefix, label = split_tag(tag)
        if before in CONTINUED and prefix in ("I", "E") and label == going:
            found[-1] = Entity(label, found[-1].first, place)
        elif prefix != OUTSIDE:
            found.append(Entity(label, place, place))
        before, going = prefix, label
    return found


def has_entities(names: Sequence[str | None]) -> bool:
    """Whether tags mark entities with prefixes, B-X and so on or bare B and I, rather than one class a word.

    >>> has_entities(["O", "B-city"]), has_entities(["O", "B", "I"]), has_entities(["NOUN", "I"])
    (True, True, False)
    """
    named = {name for name in names if name is not None}
    bare = bool(named) and named <= {"B", "I", OUTSIDE}
    return bare or any(name[1:2] == "-" and name[0] in PREFIXES for name in named)


def entity_scores(truth: Sequence[Tags], guess: Sequence[Tags]) -> dict[str, float]:
    """How well entities are found: one is right where label, first and last word are.

    Returns:
        `entity_f1`, `precision`, `recall` over all entities, `f1/LABEL` for each label; 0 without entities.

    Raises:
        HeadError: texts or words differ in number, or no words are given.
    """
    _words(truth, guess)
    true = {(text, entity) for text, tags in enumerate(truth) for entity in entities(tags)}
    guessed = {(text, entity) for text, tags in enumerate(guess) for entity in entities(tags)}
    right, found, both = (Counter(one.label for _, one in part) for part in (true, guessed, true & guessed))
    micro = {
        "entity_f1": _f1(both.total(), right.total(), found.total()),
        "precision": both.total() / found.total() if found else 0.0,
        "recall": both.total() / right.total() if right else 0.0,
    }
    labels = sorted(right.keys() | found.keys())
    return micro | {f"f1/{label}": _f1(both[label], right[label], found[label]) for label in labels}


def token_accuracy(truth: Sequence[Tags], guess: Sequence[Tags]) -> float:
    """The share of words whose tag is right.

    Raises:
        HeadError: texts or words differ in number, or no words are given.
    """
    words = _words(truth, guess)
    return sum(int(right == found) for right, found in words) / len(words)


def tagging_measures(truth: Sequence[Tags], guess: Sequence[Tags]) -> dict[str, float]:
    """Compare predicted tags with the truth.

    Returns:
        `entity_f1`, `precision`, `recall` and `accuracy` if the tags mark entities; otherwise `accuracy` and
        `macro_f1`, the mean over the tags of either. A word without a prediction counts as wrong. All are fractions.

    Raises:
        HeadError: texts or words differ in number, or no words are given.
    """
    words = _words(truth, guess)
    accuracy = token_accuracy(truth, guess)
    right, found = Counter(right for right, _ in words), Counter(found for _, found in words)
    names = [name for name in right | found if name is not None]
    if has_entities(names):
        scores = entity_scores(truth, guess)
        return {name: scores[name] for name in ("entity_f1", "precision", "recall")} | {"accuracy": accuracy}
    both = Counter(right for right, found in words if right == found)
    macro = sum(_f1(both[name], right[name], found[name]) for name in names) / max(len(names), 1)
    return {"accuracy": accuracy, "macro_f1": macro}


def _f1(both: int, right: int, found: int) -> float:
    return 2 * both / (right + found) if right + found else 0.0


def _words(truth: Sequence[Tags], guess: Sequence[Tags]) -> list[tuple[str | None, str | None]]:
    """The true and the predicted tag of every word of every text."""
    right, found = [len(tags) for tags in truth], [len(tags) for tags in guess]
    if right != found or not sum(right):
        message = f"found {sum(right)} true tags in {len(right)} texts and {sum(found)} predicted ones in {len(found)}"
        raise HeadError(f"{message}, expected one of each per word; predict one tag per word of the whole text")
    return [pair for one, other in zip(truth, guess, strict=True) for pair in zip(one, other, strict=True)]
