"""Readers that were opened before a writer merged, dropped or forgot something still answer right."""

import numpy as np
import pytest

from embank.errors import DamageError
from embank.store.compaction import MANY, forget_texts, merge_small
from embank.store.folder import Store
from embank.store.verify import verify
from embank.store.writing import Addition
from store.material import ONE, TWO, add, append, files, many_segments, rows


def test_a_reader_opened_before_a_merge_still_answers_right(store):
    covered = many_segments(store)
    early, looked, scanned = (store.reader(TWO) for _ in range(3))
    seen = looked.covered()
    scan = scanned.blocks(4)
    first = next(scan)
    with store.writer() as writer:
        merge_small(writer, store.reader(TWO))
    assert len(store.catalogue.segments(store.column(TWO).number)) == 1
    np.testing.assert_array_equal(early.gather(covered[::3]), rows(covered[::3], 2))
    np.testing.assert_array_equal(looked.gather(seen), rows(covered, 2))
    assert np.concatenate([first, *scan]).tolist() == covered.tolist()


@pytest.mark.parametrize("ask", ["covered", "has", "blocks", "gather"])
def test_whatever_a_reader_is_asked_first_after_a_merge_it_answers_right(store, ask):
    covered = many_segments(store)
    reader = store.reader(TWO)
    with store.writer() as writer:
        merge_small(writer, store.reader(TWO))
    if ask == "covered":
        assert reader.covered().tolist() == covered.tolist()
    elif ask == "has":
        assert reader.has(np.arange(-1, 70)).tolist() == np.isin(np.arange(-1, 70), covered).tolist()
    elif ask == "blocks":
        assert np.concatenate(list(reader.blocks(4))).tolist() == covered.tolist()
    else:
        np.testing.assert_array_equal(reader.gather(covered[::-1]), rows(covered[::-1], 2))


def test_a_scan_that_gathers_as_it_goes_survives_a_merge_in_its_midst(store):
    with store.writer() as writer:
        add(writer, ONE)
        add(writer, TWO)
        append(writer, {ONE: 1}, range(120))
        for start in range(0, 120, 10):  # segments follow each other, with gaps inside
            known = np.arange(start, start + 10, 2)
            writer.append(Addition(known=known, rows={TWO: rows(known, 2)}))
    reader = store.reader(TWO)
    found = []
    for number, block in enumerate(reader.blocks(3)):
        if number == 2:
            with store.writer() as writer:
                merge_small(writer, store.reader(TWO))
        np.testing.assert_array_equal(reader.gather(block), rows(block, 2))
        found += block.tolist()
    assert found == list(range(0, 120, 2))


def test_a_reader_opened_before_texts_were_forgotten_still_has_the_others(store):
    covered = many_segments(store)
    early, scanned = store.reader(TWO), store.reader(TWO)
    scan = scanned.blocks(4)
    first = next(scan)
    gone = covered[1::3]
    with store.writer() as writer:
        forget_texts(writer, [store.reader(name) for name in (ONE, TWO)], gone)
    left = np.setdiff1d(covered, gone)
    np.testing.assert_array_equal(early.gather(left), rows(left, 2))
    assert np.isin(left, np.concatenate([first, *scan])).all()
    assert early.has(covered).tolist() == np.isin(covered, left).tolist()
    assert store.catalogue.n_texts() == 60 - len(gone)


def test_a_reader_of_a_column_that_was_dropped_says_so(store):
    many_segments(store)
    reader = store.reader(TWO)
    with store.writer() as writer:
        writer.drop_column(TWO)
    with pytest.raises(DamageError, match=TWO):
        reader.gather(np.arange(1))
    assert not (store.root / "columns").joinpath(reader.column.recipe.fingerprint).exists()


def test_a_reader_in_another_store_sees_what_is_committed(store):
    many_segments(store)
    with Store(store.root) as other:
        with store.writer() as writer:
            append(writer, {ONE: 1}, range(100, 110))
        assert other.catalogue.n_texts() == 70
        np.testing.assert_array_equal(other.reader(ONE).gather(np.arange(60, 70)), rows(range(100, 110), 1))


def test_forgotten_numbers_and_files_are_never_given_again(store):
    many_segments(store)
    before = {path.name for path in files(store.root / "columns")}
    with store.writer() as writer:
        forget_texts(writer, [store.reader(name) for name in (ONE, TWO)], np.arange(60))
        assert files(store.root / "columns") == []
        assert append(writer, {ONE: 1, TWO: 1}, range(3)).tolist() == [60, 61, 62]
    assert not before & {path.name for path in files(store.root / "columns")}


def test_forgetting_gives_the_space_back(store):
    with store.writer() as writer:
        append(writer, {}, range(20_000), bodies=[(at, b"body" * 20) for at in range(20_000)])
    before = sum(path.stat().st_size for path in files(store.root))
    with store.writer() as writer:
        forget_texts(writer, [], np.arange(19_000))
    assert sum(path.stat().st_size for path in files(store.root)) < before / 10
    assert store.catalogue.body_counts() == (1000, 80_000)


def test_few_small_segments_are_left_alone(store):
    many_segments(store, count=MANY)
    before = files(store.root / "columns")
    with store.writer() as writer:
        merge_small(writer, store.reader(TWO))
    assert files(store.root / "columns") == before


def test_verification_beside_a_writer_finds_no_damage(store):
    """The writer works whenever verification has read a file: what it was told by the catalogue is old by then."""
    many_segments(store)
    called = []

    def meanwhile(_size):
        called.append(len(called))
        with Store(store.root) as other, other.writer() as writer:
            append(writer, {ONE: 1, TWO: 2}, range(1000 + len(called), 1001 + len(called)))
            merge_small(writer, other.reader(TWO))
            if len(called) == 3:
                forget_texts(writer, [other.reader(name) for name in (ONE, TWO)], np.arange(5, 9))
                writer.drop_column(ONE)
            if len(called) < 3:
                writer.set_task("topic", {"round": len(called)}, {"head": b"x"})

    assert verify(store, meanwhile) == []
    assert called
