"""Make the golden bank of the current format version: `python tests/store/golden/make_golden.py`.

Run it once for each released format version, and never again: the folder it leaves is what users have on their disks.
"""

import sys
from pathlib import Path

from embank.encode import TextBlock
from embank.encode.options import EncodeSettings
from embank.store import FORMAT_VERSION
from embank.store.folder import Store
from embank.testing import FakeEncoder, encode_with

TEXTS = [*(f"message {number} about {['cats', 'dogs', 'law'][number % 3]}" for number in range(20)), "naïve ☃ 漢字"]
PAIR = ("a question", "a context")
STATES = ("fake/2/states@float16", "fake/1/states+segments2@int8")
"""Since format version 2."""

REDUCED = ("fake/1/mean+pca3@int8", "fake/2/mean+unit+centred+pca4+dims2+unit@float32", "fake/1/mean+pca3@binary")
"""Since format version 2, in a bank of their own: they came after its first bank was made."""

COLUMNS = ("fake/1/mean@float16", "fake/2/max+unit@int8", "fake/0/first@binary", "fake/3/last@float32")


def main() -> None:
    """Write `version-N` beside this file."""
    reduced = Path(__file__).parent / "version-2-reduced"
    if not reduced.exists():
        with Store.create(reduced) as store:
            blocks = [TextBlock("texts", 0, TEXTS, ids=[*range(20), "snow"])]
            encode_with(store, FakeEncoder(width=12), REDUCED, blocks, EncodeSettings())
        (reduced / "lock").unlink(missing_ok=True)
    root = Path(__file__).parent / f"version-{FORMAT_VERSION}"
    if root.exists():
        sys.exit(f"{root} is there already; a golden bank is made once")
    encoder, settings = FakeEncoder(width=12), EncodeSettings(keep_text=True)
    ids = [*range(20), "snow"]
    with Store.create(root) as store:
        encode_with(store, encoder, COLUMNS[:3], [TextBlock("texts", 0, TEXTS, ids=ids)], settings)
        encode_with(store, encoder, COLUMNS[3:], [TextBlock("texts", 0, TEXTS[::2], ids=ids[::2])], settings)
        encode_with(store, encoder, COLUMNS, [TextBlock("pairs", 0, [PAIR, None], ids=["pair", "null"])], settings)
        encode_with(store, encoder, STATES, [TextBlock("texts", 0, TEXTS[::2], ids=ids[::2])], settings)
        with store.writer() as writer:
            writer.set_task("topic", {"columns": [COLUMNS[0]], "kind": "single"}, {"head.json": b'{"labels": []}'})
    (root / "lock").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
