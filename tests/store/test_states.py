"""Ragged columns: blocks come back as they were given, in any order, and damage to them is found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embank.arrays import Ragged
from embank.errors import DamageError, UsageError
from embank.store.compaction import MANY, forget_texts, merge_small
from embank.store.folder import Store
from embank.store.states import StatesReader
from embank.store.verify import verify
from embank.store.writing import Addition
from store.material import add, append, column, flip, keys, rows

STATES, VECTORS = "fake/1/states@float32", "fake/1/mean@float32"


def blocks(texts):
    """A block for each text: 0 to 4 rows that no other text has."""
    made = [rows([text * 10 + at for at in range(text % 5)], 3) for text in texts]
    return Ragged.of([np.empty((0, 4), "<f4"), *made]).take(range(1, len(made) + 1))


def bring(writer, texts):
    return writer.append(Addition(keys=keys(texts), rows={STATES: blocks(texts), VECTORS: rows(texts)}))


@pytest.fixture
def filled(store):
    with store.writer() as writer:
        add(writer, STATES)
        add(writer, VECTORS)
        bring(writer, range(10))
        bring(writer, range(10, 25))
    return store


def gathered(store, texts):
    return StatesReader(store.reader(STATES)).gather(np.array(texts, np.int64))


def assert_right(found, texts):
    expected = blocks(texts)
    np.testing.assert_array_equal(found.lengths, expected.lengths)
    np.testing.assert_array_equal(found.rows, expected.rows)


def test_blocks_come_back_in_any_order_and_as_often_as_asked(filled):
    asked = [24, 0, 3, 3, 11, 9, 24]
    assert_right(gathered(filled, asked), asked)
    np.testing.assert_array_equal(
        StatesReader(filled.reader(STATES)).lengths(np.array(asked)), [text % 5 for text in asked]
    )
    assert_right(gathered(filled, []), [])


@given(st.lists(st.integers(0, 24), max_size=12))
@settings(max_examples=settings.default.max_examples * 3 // 10, deadline=None)
def test_any_choice_of_texts_is_gathered_as_if_one_by_one(tmp_path_factory, asked):
    root = tmp_path_factory.mktemp("ragged") / "bank"
    with Store.create(root) as store:
        with store.writer() as writer:
            add(writer, STATES)
            add(writer, VECTORS)
            bring(writer, range(25))
        assert_right(gathered(store, asked), asked)


def test_states_of_known_texts_that_are_not_consecutive_are_found(store):
    with store.writer() as writer:
        add(writer, STATES)
        add(writer, VECTORS)
        append(writer, {VECTORS: 1}, range(20))
        known = np.array([1, 4, 9, 16])
        writer.append(Addition(known=known, rows={STATES: blocks(known)}))
    assert_right(gathered(store, [16, 1]), [16, 1])
    assert store.reader(STATES).covered().tolist() == [1, 4, 9, 16]
    with pytest.raises(DamageError, match="no states of text 2"):
        gathered(store, [1, 2])


def test_a_column_of_states_gives_no_vectors(filled):
    with pytest.raises(UsageError, match="holds states, not vectors"):
        filled.reader(STATES).gather(np.array([1]))


def test_forgotten_texts_take_their_blocks_with_them(filled):
    with filled.writer() as writer:
        forget_texts(writer, [filled.reader(STATES), filled.reader(VECTORS)], np.array([3, 4, 12]))
    left = [text for text in range(25) if text not in (3, 4, 12)]
    assert filled.reader(STATES).covered().tolist() == left
    assert_right(gathered(filled, left), left)
    assert verify(filled) == []


def test_small_segments_are_merged_block_by_block(store):
    with store.writer() as writer:
        add(writer, STATES)
        add(writer, VECTORS)
        for start in range(0, (MANY + 2) * 3, 3):
            bring(writer, range(start, start + 3))
        merge_small(writer, store.reader(STATES))
    assert len(store.catalogue.segments(store.column(STATES).number)) == 1
    everything = list(range((MANY + 2) * 3))
    assert_right(gathered(store, everything), everything)
    assert verify(store) == []


def test_a_flipped_bit_in_rows_or_offsets_is_found(filled):
    folder = filled.root / filled.column(STATES).folder
    for pattern in ("*[0-9].npy", "*.offsets.npy"):
        path = min(folder.glob(pattern))
        flip(path, path.stat().st_size - 1, 2)
        assert [damage.kind for damage in verify(filled)] == ["digest"]
        flip(path, path.stat().st_size - 1, 2)
    assert verify(filled) == []


def test_offsets_that_do_not_fit_are_damage_and_no_wrong_block(filled):
    folder = filled.root / filled.column(STATES).folder
    path = min(folder.glob("*.offsets.npy"))
    offsets = np.load(path)
    offsets[-1] += 1
    np.save(path, offsets)
    with pytest.raises(DamageError, match="does not divide"):
        gathered(filled, [0])


def test_a_ragged_column_says_so(filled):
    assert filled.column(STATES).is_ragged
    assert not filled.column(VECTORS).is_ragged
    assert column(STATES).recipe.fingerprint != column("fake/1/states+first2@float32").recipe.fingerprint
