"""Banks to try things on: columns without encoders, rows that say which text and column they belong to."""

import shutil
from pathlib import Path

import numpy as np

from embank.recipe import ColumnName, Reading, Recipe
from embank.store import StoredColumn
from embank.store.compaction import MANY
from embank.store.folder import Store
from embank.store.writing import Addition, Writer
from embank.texts import text_key

READING = Reading(weights="weights", tokenizer="tokenizer")

ONE, TWO = "fake/1/mean@float32", "fake/2/mean@float32"


def column(name: str, dtype: str = "<f4", cells: int = 4, calibration: str = "") -> StoredColumn:
    """What `Writer.add_column` is given."""
    parsed = ColumnName.parse(name)
    recipe = Recipe(
        reading=READING,
        layer=parsed.layer,
        pooling=parsed.pooling,
        steps=parsed.steps,
        codec=parsed.codec,
        calibration=calibration,
    )
    return StoredColumn(
        number=0, name=name, recipe=recipe, width=cells, dtype=dtype, cells=cells, folder="", calibration=None
    )


def add(writer: Writer, name: str, dtype: str = "<f4", cells: int = 4) -> StoredColumn:
    """A column that learns nothing."""
    return writer.add_column(column(name, dtype, cells), b"")


def keys(texts) -> list[bytes]:
    """Keys of texts that are called by numbers."""
    return [text_key(f"text {text}") for text in texts]


def rows(texts, salt: int = 0, dtype: str = "<f4", cells: int = 4) -> np.ndarray:
    """A row for each text: numbers that no other text or salt has."""
    first = np.asarray(texts, np.int64).reshape(-1, 1) * 7 + salt * 1001
    return (first + np.arange(cells)).astype(dtype)


def append(writer: Writer, names, texts, **more) -> np.ndarray:
    """New texts with a row in each column of `names`, `{name: salt}`."""
    given = {name: rows(texts, salt) for name, salt in dict(names).items()}
    return writer.append(Addition(keys=keys(texts), rows=given, **more))


def files(root: Path, pattern: str = "*") -> list[Path]:
    """Files of a bank, in a fixed order."""
    return sorted(path for path in root.rglob(pattern) if path.is_file())


def copied(template: Path, root: Path) -> Path:
    """A fresh copy of a bank."""
    shutil.rmtree(root, ignore_errors=True)
    return Path(shutil.copytree(template, root))


def flip(path: Path, byte: int, bit: int) -> None:
    """Turn one bit of a file."""
    content = bytearray(path.read_bytes())
    content[byte] ^= 1 << bit
    path.write_bytes(content)


def opened(root: Path) -> Store:
    """A bank that is new, or there."""
    return Store(root) if (root / "embank.json").exists() else Store.create(root)


def many_segments(store, count=MANY + 2, each=3):
    """A column of small segments whose texts are not consecutive: every other one is of another column."""
    with store.writer() as writer:
        add(writer, ONE)
        add(writer, TWO)
        append(writer, {ONE: 1}, range(count * each * 2))
        everything = np.arange(count * each * 2)
        for number in range(count):
            known = everything[number :: count * 2]
            writer.append(Addition(known=known, rows={TWO: rows(known, 2)}))
    return np.sort(np.concatenate([everything[number :: count * 2] for number in range(count)]))
