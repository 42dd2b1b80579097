"""A column exported to each kind of file reads back as its vectors, with the ids in their order."""

import numpy as np
import pyarrow.parquet as pq
import pytest

import embank
from embank.errors import UsageError

COLUMN = "given/0/own@int8"


@pytest.fixture
def stored(bank):
    bank.forget_ids(["id5"])
    return bank.vectors(COLUMN), [f"id{number}" for number in range(300) if number != 5]


def test_parquet_has_ids_and_vectors(bank, stored, tmp_path):
    report = bank.export(tmp_path / "out.parquet", "parquet", COLUMN)
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column("id").to_pylist() == stored[1]
    np.testing.assert_array_equal(np.stack(table.column("vector").to_pylist()).astype(np.float32), stored[0])
    assert (report.texts, report.width, report.column) == (299, 24, COLUMN)


def test_npy_is_one_array_with_the_ids_beside_it(bank, stored, tmp_path):
    bank.export(tmp_path / "out.npy", "npy", COLUMN)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), stored[0])
    assert np.load(tmp_path / "out.ids.npy").tolist() == stored[1]
    assert sorted(path.name for path in tmp_path.glob("*out*")) == ["out.ids.npy", "out.npy"]


def test_usearch_reads_its_index_and_keys_are_rows_of_the_ids(bank, stored, tmp_path):
    usearch = pytest.importorskip("usearch.index")
    bank.export(tmp_path / "out.usearch", "usearch", COLUMN)
    index = usearch.Index.restore(str(tmp_path / "out.usearch"))
    ids = np.load(tmp_path / "out.ids.npy")
    assert len(index) == 299
    assert ids[int(index.search(stored[0][77], 1).keys[0])] == stored[1][77]


def test_faiss_reads_its_index_and_scores_are_cosines(bank, stored, tmp_path):
    faiss = pytest.importorskip("faiss")
    bank.export(tmp_path / "out.faiss", "faiss", COLUMN)
    index = faiss.read_index(str(tmp_path / "out.faiss"))
    query = stored[0][100:101] / np.linalg.norm(stored[0][100:101])
    scores, rows = index.search(query, 1)
    assert stored[1][int(rows[0, 0])] == "id101"
    assert scores[0, 0] == pytest.approx(1, abs=1e-5)


def test_whole_numbers_stay_whole_numbers(tmp_path, texts, vectors):
    with embank.Bank.create(tmp_path / "numbered") as bank:
        bank.put(texts, vectors, "given/0/own", ids=list(range(300)))
        bank.export(tmp_path / "out.npy", "npy")
        assert np.load(tmp_path / "out.ids.npy").dtype == np.int64


@pytest.mark.parametrize("kind", ["npy", "usearch", "faiss", "parquet"])
def test_what_is_interrupted_leaves_the_old_file_and_no_rest(bank, tmp_path, monkeypatch, kind):
    pytest.importorskip("faiss")
    pytest.importorskip("usearch")
    out = tmp_path / f"out.{kind}"
    out.write_bytes(b"old")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        bank.export(out, kind, COLUMN)
    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [out.name]


def test_what_does_not_fit_is_refused_in_words(bank, tmp_path):
    with pytest.raises(UsageError, match="choose from: parquet, npy, usearch, faiss"):
        bank.export(tmp_path / "out.csv", "csv")
    with pytest.raises(UsageError, match="a name that ends in .npy"):
        bank.export(tmp_path / "out.bin", "npy")
    with pytest.raises(UsageError, match="cannot be written"):
        bank.export(tmp_path / "no" / "out.npy", "npy")
    with pytest.raises(UsageError, match="no column"):
        bank.export(tmp_path / "out.npy", "npy", "given/8/own")
