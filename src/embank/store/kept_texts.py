"""Texts that are kept in a bank, if the user wants that: compressed, single texts and pairs alike."""

import json
import zlib
from collections.abc import Sequence

from embank.store.folder import Store
from embank.texts import Text


def pack(text: Text) -> bytes:
    """Compress a text; a pair stays a pair.

    >>> unpack(pack(("a question", "a context")))
    ('a question', 'a context')
    """
    return zlib.compress(json.dumps(text, ensure_ascii=False).encode(), 6)


def kept_texts(store: Store, texts: Sequence[int]) -> dict[int, Text]:
    """The kept ones of these texts, by number."""
    return {number: unpack(body) for number, body in store.catalogue.bodies_of(texts).items()}


def unpack(body: bytes) -> Text:
    """Restore a text from its packed form."""
    found = json.loads(zlib.decompress(body))
    return found if isinstance(found, str) else (found[0], found[1])
