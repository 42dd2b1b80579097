"""Tags of words: read from a user's column, laid on tokens as targets, and read off tokens again.

A data set of word lists becomes texts by `words_text`; from there on a text's words are what `str.split` gives. A tag
is learnt and predicted at the first token of its word. Nothing here knows an encoder: tokens come as offsets.
"""

import re
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int32, Int64

from embank.arrays import Cell
from embank.errors import HeadError
from embank.labels import is_missing, json_list
from embank.labels.words import listed

OUTSIDE = "O"
"""The tag of words that belong to no entity."""

IGNORED = -100
"""The label number of tokens that carry no tag: losses skip it."""

PREFIXES = ("B", "I", "E", "S")
"""Of tags that mark entities: begin, inside, end, single."""

CONTINUED = ("B", "I")
"""Prefixes after which an entity may go on."""

_WORD = re.compile(r"\S+")

Tags = Sequence[str | None]
"""One tag per word; None where nothing was predicted."""


def read_tags(values: Sequence[Any]) -> list[tuple[str, ...] | None]:
    """Understand a column of tags: one list per row, one tag per word.

    Lists, tuples and arrays are read, or JSON lists, but not both in one column; tags are strings, or whole numbers
    (known by their digits). Null, NaN and the empty string mean "not labelled".

    >>> read_tags([["O", "B-city"], None])
    [('O', 'B-city'), None]
    >>> read_tags(['["O", "B-city"]', ""])
    [('O', 'B-city'), None]

    Raises:
        HeadError: a row is no list of tags, the column mixes ways of writing, or no row is labelled.
    """
    rows: list[tuple[str, ...] | None] = []
    written: dict[str, int] = {}
    for row, value in enumerate(values):
        if _absent(value):
            rows.append(None)
            continue
        given = json_list(value) if isinstance(value, str) else listed(value)
        if given is None:
            message = f"row {row} has {value!r:.60}, expected a list of tags, one per word"
            raise HeadError(f'{message}; give lists, or JSON lists such as ["O", "B-city"]')
        written.setdefault("JSON lists" if isinstance(value, str) else "lists", row)
        rows.append(tuple(_tag(tag, row, written) for tag in given))
    _refuse_mixture(written, "JSON lists", "lists")
    _refuse_mixture(written, "whole numbers", "strings")
    if not any(row is not None for row in rows):
        raise HeadError(f"none of the {len(rows)} rows has tags: is it the right column?")
    return rows


def tag_names(values: Sequence[tuple[str, ...] | None]) -> tuple[str, ...]:
    """The tags that occur in rows of `read_tags`, sorted, "O" first.

    >>> tag_names([("O", "I-city", "B-city"), None])
    ('O', 'B-city', 'I-city')
    """
    found = {tag for row in values if row is not None for tag in row}
    return tuple(sorted(found, key=lambda tag: (tag != OUTSIDE, tag)))


def word_of_tokens(
    text: str, starts: Int32[np.ndarray, " tokens"], ends: Int32[np.ndarray, " tokens"]
) -> Int32[np.ndarray, " tokens"]:
    """Number the word of a text that each token belongs to.

    A token belongs to the word of its first character that is no white space: some tokenizers count the blank before
    a word to its first token.

    Args:
        text: the text that the offsets count in.
        starts: offsets of the tokens' first characters.
        ends: offsets behind their last characters.

    Returns:
        Numbers of words in `text.split()`; -1 for tokens without a character (special ones) or with blanks only.
    """
    words = np.array([match.span() for match in _WORD.finditer(text)], np.int64).reshape(-1, 2)
    if not len(words):
        return np.full(len(starts), -1, np.int32)
    number = np.searchsorted(words[:, 1], starts, side="right")  # the first word that ends behind the token's start
    known = np.minimum(number, len(words) - 1)
    inside = (starts < ends) & (number < len(words)) & (words[known, 0] < ends)
    return np.where(inside, number, -1).astype(np.int32)


def first_subwords(word_numbers: Int32[np.ndarray, " tokens"]) -> Bool[np.ndarray, " tokens"]:
    """Mark the first token of each word, bool `[tokens]`.

    Where the left of a text was cut inside a word, that is the first of its tokens that was kept.

    >>> first_subwords(np.array([-1, 0, 0, 1, -1])).tolist()
    [False, True, False, True, False]
    """
    mask = np.zeros(len(word_numbers), np.bool_)
    numbers, first = np.unique(word_numbers, return_index=True)
    mask[first[numbers >= 0]] = True
    return mask


def tag_targets(
    tags: Sequence[str], word_numbers: Int32[np.ndarray, " tokens"], names: Sequence[str]
) -> Int64[np.ndarray, " tokens"]:
    """Lay the tags of a text's words on its tokens, as numbers.

    Args:
        tags: one per word of the whole text, also where the text was cut.
        word_numbers: of each token, from `word_of_tokens`.
        names: all tags; a number is a position in it.

    Returns:
        int64 `[tokens]`: the tag's number at the first token of each word, -100 elsewhere.

    Raises:
        HeadError: fewer tags than words, or a tag that is not among the names.
    """
    targets = np.full(len(word_numbers), IGNORED, np.int64)
    first = first_subwords(word_numbers)
    words = word_numbers[first]
    if words.size and int(words.max()) >= len(tags):
        message = f"found {len(tags)} tags for a text of at least {int(words.max()) + 1} words, expected one per word"
        raise HeadError(f"{message}; make the text of its words with words_text")
    places = {name: place for place, name in enumerate(names)}
    unknown = sorted({tags[word] for word in words.tolist()} - places.keys())
    if unknown:
        message = f"found tag {unknown[0]!r}, expected one of {', '.join(names)}; take the names from all rows"
        raise HeadError(message)
    targets[first] = [places[tags[word]] for word in words.tolist()]
    return targets


def tags_of(
    label_numbers: Int64[np.ndarray, " tokens"],
    word_numbers: Int32[np.ndarray, " tokens"],
    n_words: int,
    names: Sequence[str],
    outside: str = OUTSIDE,
) -> tuple[str | None, ...]:
    """Read the tags of words off the label numbers of tokens.

    Args:
        label_numbers: int64 `[tokens]`; only those of first tokens are looked at.
        word_numbers: of each token, from `word_of_tokens`.
        n_words: of the whole text, `len(text.split())`.
        names: all tags.
        outside: what a word without a token gets: one beyond the cut of a long text, or one that the tokenizer drops
            (a lone zero-width space). Where it is not among the names, as in parts of speech, such a word gets None:
            no other tag could be meant by "not read".

    Returns:
        One tag per word.

    Raises:
        HeadError: a number beyond the names, or more words than `n_words`.
    """
    first = first_subwords(word_numbers)
    words, numbers = word_numbers[first].tolist(), label_numbers[first].tolist()
    if words and not (max(words) < n_words and 0 <= min(numbers) <= max(numbers) < len(names)):
        message = f"found words up to {max(words)} with labels {min(numbers)} to {max(numbers)}"
        raise HeadError(f"{message}, expected {n_words} words and {len(names)} labels; pass those of the same text")
    tags: list[str | None] = [outside if outside in names else None] * n_words
    for word, number in zip(words, numbers, strict=True):
        tags[word] = names[number]
    return tuple(tags)


def split_tag(tag: str | None) -> tuple[str, str]:
    """Split a tag into prefix and label: "_" for a bare "B" or "I" as in seqeval; "O" and "" if it marks no entity.

    >>> split_tag("B-city"), split_tag("I"), split_tag("NOUN")
    (('B', 'city'), ('I', '_'), ('O', ''))
    """
    prefix, _, label = (tag or OUTSIDE).partition("-")
    return (prefix, label or "_") if prefix in PREFIXES else (OUTSIDE, "")


def legal(logits: Float[np.ndarray, "words labels"], names: Sequence[str]) -> Int64[np.ndarray, " words"]:
    """Decide tags so that every entity is opened: an I-X that follows neither B-X nor I-X becomes B-X.

    `entities` finds the same entities with and without, since it takes such an I-X for an opening. The repair is for
    those who read tags strictly. An I-X whose B-X is not among the names stays as it is; so do not repair IOB1, which
    opens with I-X.

    Returns:
        A label number for each word: a position in the names.
    """
    places = {name: place for place, name in enumerate(names)}
    numbers: list[int] = np.asarray(logits).argmax(axis=1).tolist()
    before, going = OUTSIDE, ""
    for word, number in enumerate(numbers):
        prefix, label = split_tag(names[number])
        if prefix == "I" and not (before in CONTINUED and label == going):
            numbers[word] = places.get("B" + names[number][1:], number)
        before, going = prefix, label
    return np.array(numbers, np.int64)


def _tag(tag: Cell, row: int, written: dict[str, int]) -> str:
    if isinstance(tag, str) and tag.strip():
        written.setdefault("strings", row)
        return tag.strip()
    if isinstance(tag, Integral) and not isinstance(tag, bool | np.bool_):
        written.setdefault("whole numbers", row)
        return str(int(tag))
    message = f"row {row} has {tag!r:.60} among its tags, expected a name for every word"
    raise HeadError(f"{message}; name words outside of everything {OUTSIDE!r}, or set the row to null")


def _refuse_mixture(written: dict[str, int], one: str, other: str) -> None:
    if one in written and other in written:
        message = f"row {written[one]} has {one} and row {written[other]} has {other}, expected one way in a column"
        raise HeadError(f"{message}; write all rows alike")


def _absent(value: Cell) -> bool:
    return not value.strip() if isinstance(value, str) else is_missing(value)
