"""Texts and their identity: one string, or a pair read together, known by the full hash of its exact content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from numbers import Integral
from types import MappingProxyType
from typing import Any

from embank.arrays import Cell

Text = str | tuple[str, str]
"""One string, or two strings that an encoder reads together."""

KEY_BYTES = 16
"""Length of a text's key: a BLAKE2b hash of 128 bits."""

_LARGEST_ID = (1 << 63) - 1
"""The catalogue's whole numbers have 64 bits; larger ones are kept as strings."""

_SINGLE = b"s"
_PAIR = b"p"


def text_key(text: Text) -> bytes:
    """Hash a text to its 16-byte key.

    Every character counts: case, spaces and Unicode form are part of the content. A pair is hashed with the length of
    its first half, so that no pair equals another pair, or a single text, by moving a boundary.

    >>> text_key(("ab", "c")) == text_key(("a", "bc"))
    False
    >>> text_key("abc") == text_key(("abc", ""))
    False
    >>> text_key("abc").hex()
    '772f668581eb87786748b50ced9f2c8c'

    Raises:
        UnicodeEncodeError: the text has a lone surrogate, so it has no bytes to hash.
    """
    if isinstance(text, str):
        return blake2b(_SINGLE + text.encode(), digest_size=KEY_BYTES).digest()
    first, second = text[0].encode(), text[1].encode()
    head = _PAIR + len(first).to_bytes(8, "big")
    return blake2b(head + first + second, digest_size=KEY_BYTES).digest()


def fault_of(value: Cell) -> str | None:
    """Say why a value cannot be encoded as a text, or None if it can.

    >>> fault_of(None), fault_of(3.5), fault_of("  "), fault_of("ok")
    ('null', 'not a string: float', 'empty', None)
    """
    if value is None:
        return "null"
    if not isinstance(value, str):
        return f"not a string: {type(value).__name__}"
    if not value.strip():
        return "empty"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "lone surrogate: not valid Unicode"
    return None


def text_fault(text: Cell) -> str | None:
    """Say why a text, single or pair, cannot be encoded, or None if it can.

    >>> text_fault(("a question", None)), text_fault(("a", "b", "c"))
    ('second of the pair: null', 'not a pair: 3 values')
    """
    if isinstance(text, tuple):
        places = ("first", "second")
        if len(text) != len(places):
            return f"not a pair: {len(text)} values"
        for place, half in zip(places, text, strict=True):
            fault = fault_of(half)
            if fault:
                return f"{place} of the pair: {fault}"
        return None
    return fault_of(text)


def keys_and_faults(texts: Sequence[Any]) -> tuple[list[bytes | None], dict[int, str]]:
    """Hash many texts at once.

    Args:
        texts: strings, pairs, or any other value of a user's file.

    Returns:
        One key per text (None if it cannot be encoded), and for those the offset and the reason.
    """
    keys: list[bytes | None] = []
    faults: dict[int, str] = {}
    for offset, text in enumerate(texts):
        if type(text) is str and text and not text.isspace():
            try:  # the common case, without the detours: a million known texts pass here at every run
                keys.append(blake2b(_SINGLE + text.encode(), digest_size=KEY_BYTES).digest())
                continue
            except UnicodeEncodeError:
                pass
        fault = text_fault(text)
        if fault:
            faults[offset] = fault
            keys.append(None)
        else:
            keys.append(text_key(text))
    return keys, faults


@dataclass(frozen=True, eq=False)
class HashedTexts:
    """Rows of texts with their keys.

    Attributes:
        offsets: of the rows that can be encoded, ascending.
        keys: of these rows.
        faults: of the other rows, by offset, why not.
    """

    offsets: Sequence[int]
    keys: Sequence[bytes]
    faults: Mapping[int, str]


def hashed(texts: Sequence[Any], known_faults: Mapping[int, str] = MappingProxyType({})) -> HashedTexts:
    """Hash rows of texts, each once.

    Args:
        texts: strings, pairs, or any other value of a user's file.
        known_faults: rows that could not even be read, and why.
    """
    keys, faults = keys_and_faults(texts)
    every = {**faults, **known_faults}
    sound = [(offset, key) for offset, key in enumerate(keys) if key is not None and offset not in every]
    return HashedTexts([offset for offset, _ in sound], [key for _, key in sound], every)


@dataclass(frozen=True, eq=False)
class NumberedTexts:
    """Rows of texts, equal texts under one number.

    Attributes:
        rows: for each row the number of its text, -1 for one that cannot be encoded.
        texts: the distinct texts by number, in the order in which they came; pairs as tuples.
        keys: of these texts.
    """

    rows: Sequence[int]
    texts: Sequence[Text]
    keys: Sequence[bytes]


def numbered(texts: Sequence[Any]) -> NumberedTexts:
    """Number each distinct text once; a list of two strings is a pair, as files have it.

    >>> found = numbered(["b", "a", "b", None, ["a", "b"]])
    >>> found.rows, found.texts
    ([0, 1, 0, -1, 2], ['b', 'a', ('a', 'b')])
    """
    plain = [tuple(text) if isinstance(text, list) else text for text in texts]
    keys, _ = keys_and_faults(plain)
    numbers: dict[bytes, int] = {}
    rows = [-1 if key is None else numbers.setdefault(key, len(numbers)) for key in keys]
    distinct = {number: text for number, text in zip(rows, plain, strict=True) if number >= 0}
    return NumberedTexts(rows, [distinct[number] for number in range(len(numbers))], list(numbers))


def plain_id(value: Cell) -> int | str | None:
    """What a user calls a text, as the bank keeps it: whole numbers as they are, anything else as a string.

    >>> plain_id(17), plain_id("17"), plain_id(2.5), plain_id(2**70), plain_id(None)
    (17, '17', '2.5', '1180591620717411303424', None)
    """
    if value is None:
        return None
    if isinstance(value, Integral) and not isinstance(value, bool) and abs(int(value)) <= _LARGEST_ID:
        return int(value)
    return str(value)
