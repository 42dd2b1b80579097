"""What a store promises: rows come back as they were given, and texts and ids are what was entered last."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from embank.codecs import calibrate, codec_names
from embank.errors import DamageError, UsageError
from embank.recipe import ColumnName
from embank.store.catalogue import UNKNOWN
from embank.store.folder import Store
from embank.store.vectors import codec_of, vectors
from embank.store.verify import verify
from embank.store.writing import Addition
from store.material import ONE, TWO, add, append, column, keys, many_segments, rows


def test_rows_come_back_in_any_order_and_as_often_as_asked(store):
    with store.writer() as writer:
        add(writer, ONE)
        append(writer, {ONE: 1}, range(10))
        append(writer, {ONE: 1}, range(10, 15))
    reader = store.reader(ONE)
    asked = np.array([14, 0, 0, 9, 10, 3, 14])
    np.testing.assert_array_equal(reader.gather(asked), rows(asked, 1))
    assert (reader.n_rows, len(reader.gather(np.empty(0, np.int64)))) == (15, 0)


def test_one_stretch_of_one_segment_is_not_copied(store):
    with store.writer() as writer:
        add(writer, ONE)
        append(writer, {ONE: 1}, range(10))
    assert isinstance(store.reader(ONE).gather(np.arange(3, 8)), np.memmap)
    assert not store.reader(ONE).gather(np.arange(3, 8)).flags.writeable


def test_an_empty_bank_answers_with_nothing(store):
    assert verify(store) == []
    assert store.catalogue.columns() == store.catalogue.tasks() == {}
    assert store.catalogue.n_texts() == store.catalogue.next_text() == 0
    assert store.catalogue.lookup(keys(range(3))).tolist() == [UNKNOWN] * 3
    numbers, found = store.catalogue.numbered_keys()
    assert (len(numbers), found.shape) == (0, (0, 16))
    with pytest.raises(UsageError, match="none yet"):
        store.reader(ONE)


def test_a_column_without_rows_covers_nothing(store):
    with store.writer() as writer:
        add(writer, ONE)
    reader = store.reader(ONE)
    assert (reader.covered().tolist(), list(reader.blocks(5)), reader.n_rows) == ([], [], 0)
    assert reader.has(np.arange(3)).tolist() == [False] * 3
    assert len(reader.gather(np.empty(0, np.int64))) == 0
    with pytest.raises(DamageError, match="no row for text 0"):
        reader.gather(np.arange(1))


def test_columns_of_different_coverage_keep_their_own_texts(store):
    with store.writer() as writer:
        add(writer, ONE)
        add(writer, TWO)
        append(writer, {ONE: 1, TWO: 2}, range(5))
        append(writer, {ONE: 1}, range(5, 10))
        append(writer, {TWO: 2}, range(10, 15))
    assert store.reader(ONE).covered().tolist() == list(range(10))
    assert store.reader(TWO).covered().tolist() == [*range(5), *range(10, 15)]
    assert store.reader(TWO).has(np.arange(4, 12)).tolist() == [True] + [False] * 5 + [True] * 2
    np.testing.assert_array_equal(store.reader(TWO).gather(np.array([12, 1])), rows([12, 1], 2))
    with pytest.raises(DamageError, match=f"{TWO} has no row for text 7"):
        store.reader(TWO).gather(np.array([1, 7]))


def test_texts_that_are_not_consecutive_are_listed_beside_their_rows(store):
    known = np.array([0, 3, 4, 9])
    with store.writer() as writer:
        add(writer, ONE)
        add(writer, TWO)
        append(writer, {ONE: 1}, range(10))
        writer.append(Addition(known=known, rows={TWO: rows(known, 2)}))
    reader = store.reader(TWO)
    assert reader.covered().tolist() == known.tolist()
    assert reader.has(np.arange(-1, 11)).nonzero()[0].tolist() == (known + 1).tolist()
    np.testing.assert_array_equal(reader.gather(known[::-1]), rows(known[::-1], 2))
    (segment,) = store.catalogue.segments(store.column(TWO).number)
    listed = np.load(store.root / segment.part("texts").file)
    assert (listed.dtype, listed.tolist()) == (np.uint32, known.tolist())
    np.testing.assert_array_equal(np.load(store.root / segment.part("rows").file), rows(known, 2))


def test_texts_far_apart_are_found(store):
    with store.writer() as writer:
        add(writer, ONE)
        append(writer, {}, range(1))
        with store.catalogue.transaction():
            store.catalogue._connection.execute("UPDATE settings SET value = ? WHERE name = 'next_text'", (1 << 33,))
        append(writer, {}, range(1, 2))
        known = np.array([0, 1 << 33])
        writer.append(Addition(known=known, rows={ONE: rows([0, 1], 1)}))
    assert store.reader(ONE).covered().tolist() == known.tolist()
    np.testing.assert_array_equal(store.reader(ONE).gather(known), rows([0, 1], 1))
    assert verify(store) == []


def test_segments_that_interleave_are_read_in_order_of_texts(store):
    covered = many_segments(store)
    reader = store.reader(TWO)
    assert reader.covered().tolist() == covered.tolist()
    blocks = list(reader.blocks(7))
    assert np.concatenate(blocks).tolist() == covered.tolist()
    assert max(map(len, blocks)) == 7
    np.testing.assert_array_equal(reader.gather(covered), rows(covered, 2))


def test_blocks_stay_inside_one_segment_where_segments_follow_each_other(store):
    with store.writer() as writer:
        add(writer, ONE)
        append(writer, {ONE: 1}, range(10))
        append(writer, {ONE: 1}, range(10, 13))
    reader = store.reader(ONE)
    assert [len(block) for block in reader.blocks(4)] == [4, 4, 2, 3]
    assert all(isinstance(reader.gather(block), np.memmap) for block in reader.blocks(4))


def test_an_id_moves_to_the_text_that_has_it_last_and_a_text_may_have_several(store):
    with store.writer() as writer:
        append(writer, {}, range(3), ids=[(0, "a"), (1, "b"), (1, 7), (1, "7")])
        append(writer, {}, range(3, 5), ids=[(0, "a")])
    found = store.catalogue.texts_of_ids(["a", "b", 7, "7", "nobody"])
    assert found == {"a": 3, "b": 1, 7: 1, "7": 1}
    assert store.catalogue.ids_between(0, 2) == [(1, 7), (1, "7"), (1, "b")]
    assert store.catalogue.n_ids() == 4


@pytest.mark.parametrize("name", [1 << 63, 1 << 64, 2.5j, ("a", "b")])
def test_an_id_that_the_catalogue_has_no_place_for_is_refused(store, name):
    with store.writer() as writer:
        with pytest.raises(UsageError, match=r"catalogue\.sqlite"):
            append(writer, {}, range(3), ids=[(0, name)])
        assert append(writer, {}, range(3), ids=[(0, (1 << 63) - 1)]).tolist() == [0, 1, 2]
    with pytest.raises(UsageError):
        store.catalogue.texts_of_ids([name])


def test_a_text_cannot_be_new_twice(store):
    with store.writer() as writer:
        append(writer, {}, range(3))
        with pytest.raises(UsageError, match="has this already, nothing was changed"):
            append(writer, {}, range(2, 5))
    assert store.catalogue.n_texts() == store.catalogue.next_text() == 3


def test_a_closed_bank_says_so(store):
    store.close()
    with pytest.raises(UsageError, match="is the bank closed"):
        store.catalogue.n_texts()


def test_fifty_thousand_keys_are_looked_up_at_once(store):
    known = keys(range(25_000))
    with store.writer() as writer:
        writer.append(Addition(keys=known))
    order = np.random.default_rng(0).permutation(50_000)
    asked = [*known, *keys(range(25_000, 50_000))]
    found = store.catalogue.lookup([asked[at] for at in order])
    assert found.tolist() == np.where(order < 25_000, order, UNKNOWN).tolist()


@pytest.mark.parametrize("dtype", ["<f4", "<f2", "|i1", "|u1"])
@pytest.mark.parametrize("cells", [1, 48])
def test_rows_of_every_dtype_come_back_to_the_byte(store, dtype, cells):
    given = np.random.default_rng(0).integers(0, 256, (9, cells * np.dtype(dtype).itemsize), np.uint8).view(dtype)
    name = "fake/1/mean@float32"
    with store.writer() as writer:
        add(writer, name, dtype, cells)
        writer.append(Addition(keys=keys(range(9)), rows={name: np.asfortranarray(given)}))
    found = store.reader(name).gather(np.arange(9))
    assert found.dtype == np.dtype(dtype)
    assert found.tobytes() == given.tobytes()


def test_the_same_rows_under_a_second_name_are_refused_with_the_first(store):
    with store.writer() as writer:
        add(writer, ONE)
        with pytest.raises(UsageError, match=f"{ONE}"):
            writer.add_column(column(ONE), b"")
        other = column(ONE)
        renamed = type(other)(**{**vars(other), "name": "other/1/mean@float32"})
        with pytest.raises(UsageError, match=f"{ONE}"):
            writer.add_column(renamed, b"")
    assert list(store.catalogue.columns()) == [ONE]


def test_a_second_row_for_a_text_is_refused(store):
    with store.writer() as writer:
        add(writer, ONE)
        append(writer, {ONE: 1}, range(5))
        with pytest.raises(UsageError, match="have a row"):
            writer.append(Addition(known=np.array([2, 4]), rows={ONE: rows([2, 4], 9)}))
    np.testing.assert_array_equal(store.reader(ONE).gather(np.arange(5)), rows(range(5), 1))
    assert verify(store) == []


def test_a_writer_comes_to_terms_with_strange_things_in_its_folders(store):
    many_segments(store)
    folder = store.root / "columns" / store.column(ONE).recipe.fingerprint
    (folder / "kept by somebody").mkdir()
    (store.root / "columns" / ".DS_Store").write_bytes(b"a file where folders are")
    (store.root / "tasks").rmdir()  # many tools that copy folders leave empty ones out
    with store.writer() as writer:
        writer.set_task("topic", {}, {"head": b"x"})
    assert verify(store) == []


@pytest.mark.parametrize("codec", codec_names())
def test_stored_rows_decode_to_what_their_codec_says(store, codec):
    exact = np.random.default_rng(1).normal(size=(300, 16)).astype(np.float32)
    learned = calibrate(codec, exact)
    name = f"fake/1/mean@{codec}"
    entered = column(name, learned.dtype.str, learned.cells, learned.calibration_digest)
    entered = type(entered)(**{**vars(entered), "width": 16})
    with store.writer() as writer:
        writer.add_column(entered, save(learned.calibration()) if learned.calibration() else b"")
        writer.append(Addition(keys=keys(range(300)), rows={name: learned.encode(exact)}))
    restored = codec_of(store, store.column(name))
    assert restored.calibration_digest == learned.calibration_digest
    found = vectors(store, [name, name], np.arange(300)[::-1])
    np.testing.assert_array_equal(found, np.hstack([learned.decode(learned.encode(exact))] * 2)[::-1])


def test_a_calibration_that_is_another_ones_is_damage(store):
    exact = np.random.default_rng(1).normal(size=(300, 16)).astype(np.float32)
    learned, other = calibrate("int8", exact), calibrate("int8", exact * 2)
    name = "fake/1/mean@int8"
    entered = column(name, "|i1", 16, learned.calibration_digest)
    with store.writer() as writer:
        writer.add_column(entered, save(other.calibration()))
    with pytest.raises(DamageError, match=r"calibration of column fake/1/mean@int8 has changed.*embank verify"):
        codec_of(store, store.column(name))


@settings(max_examples=settings.default.max_examples * 3 // 10, deadline=None)
@given(st.lists(st.sets(st.integers(0, 40), min_size=1), min_size=1, max_size=5), st.integers(1, 20))
def test_blocks_and_coverage_agree_however_segments_lie(tmp_path_factory, chosen, size):
    root = tmp_path_factory.mktemp("bank") / "bank"
    with Store.create(root) as store:
        with store.writer() as writer:
            add(writer, ONE)
            append(writer, {}, range(41))
            left = set(range(41))
            for part in chosen:
                texts = np.array(sorted(part & left), np.int64)
                left -= part
                if len(texts):
                    writer.append(Addition(known=texts, rows={ONE: rows(texts, 1)}))
        reader = store.reader(ONE)
        covered = sorted(set(range(41)) - left)
        assert reader.covered().tolist() == covered
        blocks = list(reader.blocks(size))
        assert [text for block in blocks for text in block.tolist()] == covered
        for block in blocks:
            np.testing.assert_array_equal(reader.gather(block), rows(block, 1))


def test_a_column_name_is_what_the_recipe_says(store):
    with store.writer() as writer:
        entered = add(writer, "fake/3/max+unit@float32")
    assert entered.recipe == column("fake/3/max+unit@float32").recipe
    assert str(ColumnName.parse(entered.name)) == entered.name
    assert store.column(entered.name) == entered
