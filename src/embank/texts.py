"""Texts and their identity: one string, or a pair read together, known by the full hash of its exact content."""

from collections.abc import Sequence
from hashlib import blake2b
from numbers import Integral
from typing import Any

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


def fault_of(value: Any) -> str | None:
    """Say why a value cannot be encoded as a text, or None where it can.

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


def text_fault(text: Any) -> str | None:
    """Say why a text, single or pair, cannot be encoded, or None where it can.

    >>> text_fault(("a question", None))
    'second of the pair: null'
    """
    if isinstance(text, tuple):
        for place, half in zip(("first", "second"), text, strict=True):
            fault = fault_of(half)
            if fault:
                return f"{place} of the pair: {fault}"
        return None
    return fault_of(text)


def keys_and_faults(texts: Sequence[Any]) -> tuple[list[bytes | None], dict[int, str]]:
    """Hash many texts at once.

    Args:
        texts: strings, pairs, or whatever else stood in the user's file.

    Returns:
        One key a text (None where it cannot be encoded), and for those the offset and the reason.
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


def plain_id(value: Any) -> int | str | None:
    """What a user calls a text, as the bank keeps it: whole numbers as they are, anything else as a string.

    >>> plain_id(17), plain_id("17"), plain_id(2.5), plain_id(2**70), plain_id(None)
    (17, '17', '2.5', '1180591620717411303424', None)
    """
    if value is None:
        return None
    if isinstance(value, Integral) and not isinstance(value, bool) and abs(int(value)) <= _LARGEST_ID:
        return int(value)
    return str(value)
