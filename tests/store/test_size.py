"""Bytes on disk are at most 1.02 times the rows plus 40 for each text."""

import random

import numpy as np
import pytest

from embank.store.compaction import merge_small
from embank.store.folder import Store
from embank.store.verify import verify
from embank.store.writing import Addition
from store.material import add, files, keys

TEXTS = 20_000


def filled(root, columns, commits):
    """A bank whose texts came in many commits; their keys are hashes, so they are in no order."""
    order = random.Random(0).sample(range(TEXTS), TEXTS)
    raw = 0
    with Store.create(root) as store:
        with store.writer() as writer:
            for name, dtype, cells in columns:
                add(writer, name, dtype, cells)
            for part in np.array_split(order, commits):
                given = {name: np.ones((len(part), cells), dtype) for name, dtype, cells in columns}
                writer.append(Addition(keys=keys(part.tolist()), rows=given))
                raw += sum(rows.nbytes for rows in given.values())
            for name, _, _ in columns:
                merge_small(writer, store.reader(name))
        assert verify(store) == []
    return raw, sum(path.stat().st_size for path in files(root))


@pytest.mark.parametrize("commits", [1, 5, 20])
@pytest.mark.parametrize(
    ("dtype", "cells"), [("<f4", 384), ("|i1", 384), ("|u1", 48)], ids=["float32", "int8", "binary"]
)
def test_a_bank_is_hardly_larger_than_its_rows(tmp_path, dtype, cells, commits):
    raw, size = filled(tmp_path / "bank", [("fake/1/mean@float32", dtype, cells)], commits)
    assert raw == TEXTS * cells * np.dtype(dtype).itemsize
    assert raw < size <= 1.02 * raw + 40 * TEXTS


def test_a_text_is_listed_once_however_many_columns_there_are(tmp_path):
    columns = [(f"fake/{layer}/mean@float32", "|u1", 48) for layer in range(4)]
    raw, size = filled(tmp_path / "bank", columns, 7)
    assert size <= 1.02 * raw + 40 * TEXTS


def test_a_column_for_every_other_text_costs_four_bytes_a_text_more(tmp_path):
    """Where text numbers are not consecutive, a file beside the rows lists them."""
    with Store.create(tmp_path / "bank") as store:
        with store.writer() as writer:
            add(writer, "fake/1/mean@float32", "|u1", 48)
            known = writer.append(Addition(keys=keys(range(TEXTS))))[::2]
            writer.append(Addition(known=known, rows={"fake/1/mean@float32": np.ones((len(known), 48), np.uint8)}))
        listed = store.reader("fake/1/mean@float32").n_bytes
    assert listed <= len(known) * (48 + 4) + 1024
