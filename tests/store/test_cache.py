"""Graphs, groups and lengths that a bank keeps are counted, checked, and swept once they fit nothing any more."""

import shutil

import numpy as np
import pytest

import embank
from embank import DedupSettings, SearchSettings
from embank.store.folder import Store
from embank.store.norms import ColumnLengths
from embank.store.vectors import codec_of

COLUMN = "given/0/own@int8"
FOLDERS = ("duplicates", "index", "lengths")


@pytest.fixture(params=[True, False], ids=["with a graph", "without"])
def bank(request, tmp_path):
    if request.param:
        pytest.importorskip("usearch", reason="needs the extra 'search'")
    vectors = np.random.default_rng(0).standard_normal((40, 12)).astype(np.float32)
    with embank.Bank.create(tmp_path / "bank") as opened:
        opened.put([f"text {at}" for at in range(40)], vectors, COLUMN, ids=list(range(40)))
        opened.search(vectors[:1], SearchSettings(3, COLUMN))
        opened.dedup(DedupSettings(0.9, COLUMN))
        if request.param:
            opened.search(vectors[:1], SearchSettings(3, COLUMN, (), "approximate"))
        yield opened


def states(bank):
    return {one.file.partition("/")[0]: one.state for one in bank.summary().auxiliary}


def files(bank):
    return sorted(path for folder in FOLDERS for path in (bank.path / folder).glob("*"))


def test_what_is_kept_is_counted_by_folder_column_and_state(bank):
    found = bank.summary()
    assert set(states(bank).values()) == {"current"}
    assert {one.column for one in found.auxiliary} == {COLUMN}
    assert sum(one.size for one in found.auxiliary) == found.bytes["auxiliary"] == sum(map(_size, files(bank)))
    assert found.bytes["total"] == sum(size for part, size in found.bytes.items() if part != "total")
    assert bank.verify() == []


def test_new_texts_leave_graphs_and_groups_behind_and_lengths_current(bank):
    bank.put(["another"], np.ones((1, 12), np.float32), COLUMN)
    found = states(bank)
    assert found.pop("lengths") == "current"
    assert set(found.values()) == {"behind"}
    assert bank.verify() == []


def test_what_was_forgotten_is_in_none_of_them(bank):
    bank.forget_ids([7])
    assert files(bank) == []
    assert bank.summary().auxiliary == ()
    assert bank.forget_stale() == 0


def test_a_column_takes_with_it_what_was_made_from_it_and_leaves_the_rest(bank):
    bank.put(["text 1"], np.ones((1, 12), np.float32), "other/0/own@float16")
    bank.search(np.ones((1, 12), np.float32), SearchSettings(1, "other/0/own@float16"))
    before = len(files(bank))
    bank.forget_column("other/0/own@float16")
    assert len(files(bank)) == before - 1
    bank.forget_column(COLUMN)
    assert files(bank) == []


def test_stale_files_of_earlier_days_are_swept_by_themselves(bank):
    kept = files(bank)
    for folder in FOLDERS:
        (bank.path / folder).mkdir(exist_ok=True)
        (bank.path / folder / "0123-9.safetensors").write_bytes(b"left by something else")
    assert [one.state for one in bank.summary().auxiliary].count("stale") == 3
    assert bank.verify() == []
    assert bank.forget_stale() == 3 * len(b"left by something else")
    assert files(bank) == kept


def test_a_flipped_bit_is_found_in_each_of_them_and_does_no_harm(bank):
    asked = np.random.default_rng(5).standard_normal((3, 12)).astype(np.float32)
    before = bank.search(asked, SearchSettings(5, COLUMN))
    for path in files(bank):
        whole = path.read_bytes()
        place = len(whole) - 2  # the last bytes are numbers: the upper half of a float, of a text's number
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        (damage,) = bank.verify()
        assert damage.where == f"{path.parent.name}/{path.name}"
        path.write_bytes(whole)
    assert bank.search(asked, SearchSettings(5, COLUMN)) == before


@pytest.mark.parametrize("damage", [lambda _: b"", lambda old: old[:-4], lambda _: b"no array"])
def test_lengths_that_are_cut_or_no_array_are_measured_again(bank, damage):
    (place,) = (bank.path / "lengths").glob("*")
    whole = place.read_bytes()
    before = bank.search(np.ones((1, 12), np.float32), SearchSettings(5, COLUMN))
    place.write_bytes(damage(whole))
    assert len(bank.verify()) == 1
    assert bank.search(np.ones((1, 12), np.float32), SearchSettings(5, COLUMN)) == before
    assert place.read_bytes() == whole


def test_a_bank_that_cannot_be_written_is_searched_all_the_same(bank, monkeypatch):
    shutil.rmtree(bank.path / "lengths")

    def refused(*_, **__):
        raise PermissionError(13, "read-only")

    monkeypatch.setattr("embank.store.norms.npy_pieces", refused)
    assert bank.search(np.ones((1, 12), np.float32), SearchSettings(5, COLUMN)).num_rows == 5
    assert list((bank.path / "lengths").glob("*")) == []


def test_lengths_are_those_of_the_decoded_vectors_in_every_segment(tmp_path):
    vectors = np.random.default_rng(1).standard_normal((50, 10)).astype(np.float32)
    with embank.Bank.create(tmp_path / "bank") as bank:
        for start in (0, 20):
            for codec in ("float16", "int8", "binary"):
                part = slice(start, start + 30)
                bank.put([f"{at}" for at in range(50)][part], vectors[part], f"given/0/own@{codec}")
        with Store(bank.path) as store:
            for codec in ("float16", "int8", "binary"):
                name = f"given/0/own@{codec}"
                exact = np.linalg.norm(bank.vectors(name).astype(np.float64), axis=1)
                reader = store.reader(name)
                known = ColumnLengths(reader, codec_of(store, store.column(name)))
                for segment, texts, rows in reader.segments():
                    np.testing.assert_allclose(known.of(segment, rows), exact[texts], rtol=1e-5)


def _size(path):
    return path.stat().st_size
