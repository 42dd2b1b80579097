"""Writing predictions: types, numbers, and files that are whole or absent."""

import errno
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embank.errors import InputError, StorageFullError, UsageError
from embank.tables import open_writer, read
from embank.tables.writers.arrays import six_digits

WRITABLE = ["csv", "tsv", "jsonl", "parquet"]


def write(path, *blocks):
    with open_writer(path) as writer:
        for block in blocks:
            writer.write(block)
    return path


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def labels(*places):
    return pa.DictionaryArray.from_arrays(pa.array(places, pa.int8()), pa.array(["neg", "pos"]))


def test_csv_has_lists_as_json_short_floats_and_nothing_for_none(tmp_path):
    path = write(
        tmp_path / "t.csv",
        {"id": ["a", None], "topics": [["x", "é"], None], "score": np.array([1 / 3, 2e-7], np.float32), "n": [1, None]},
    )
    assert path.read_text("utf-8").splitlines() == [
        '"id","topics","score","n"',
        '"a","[""x"", ""é""]",0.333333,1',
        ",,2e-7,",
    ]


def test_json_lines_have_any_type_and_no_nan(tmp_path):
    path = write(
        tmp_path / "t.jsonl",
        {
            "100%": [1, "one"],
            "label": labels(1, None),
            "score": np.array([1 / 3, np.nan]),
            "parts": [[np.float64("inf"), 1.5], {"a": float("nan")}],
            "vector": np.eye(2),
        },
    )
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"100%": 1, "label": "pos", "score": 0.333333, "parts": [None, 1.5], "vector": [1.0, 0.0]},
        {"100%": "one", "label": None, "score": None, "parts": {"a": None}, "vector": [0.0, 1.0]},
    ]


def test_lone_surrogates_go_out_as_they_came_in_or_are_replaced(tmp_path):
    block = {"id": ["a\ud800", "b"], "n": [1, 2]}
    for extension, expected in (("jsonl", "a\ud800"), ("csv", "a\ufffd"), ("parquet", "a\ufffd")):
        (read_back,) = read([write(tmp_path / f"t.{extension}", block)], ["id"])
        assert read_back.columns["id"] == [expected, "b"]


@pytest.mark.parametrize("extension", WRITABLE)
def test_labels_are_plain_strings_whatever_their_dictionaries(tmp_path, extension):
    other = pa.DictionaryArray.from_arrays(pa.array([0, None], pa.int32()), pa.array(["new"]))
    path = write(tmp_path / f"t.{extension}", {"l": labels(0, 1)}, {"l": other}, {"l": ["pos", "last"]})
    expected = ["neg", "pos", "new", None, "pos", "last"]
    absent = "" if extension in {"csv", "tsv"} else None
    (block,) = read([path], ["l"])
    assert block.columns["l"] == [absent if value is None else value for value in expected]
    if extension == "parquet":
        assert pq.read_table(path).schema.field("l").type == pa.string()


@pytest.mark.parametrize("extension", WRITABLE)
def test_chunked_arrays_and_numpy_strings_are_written(tmp_path, extension):
    path = write(tmp_path / f"t.{extension}", {"a": pa.chunked_array([["x"], ["y"]]), "b": np.array(["u", "v"])})
    (block,) = read([path], ["a", "b"])
    assert block.columns == {"a": ["x", "y"], "b": ["u", "v"]}


def test_many_small_blocks_make_few_row_groups(tmp_path):
    path = write(tmp_path / "t.parquet", *({"n": np.arange(100)} for _ in range(50)))
    assert pq.ParquetFile(path).metadata.num_row_groups == 1
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_first_block_of_nothing_but_none_leaves_room_for_strings(tmp_path):
    path = write(tmp_path / "t.parquet", {"id": [None, None]}, {"id": ["a", None]})
    assert pq.read_table(path)["id"].to_pylist() == [None, None, "a", None]


@pytest.mark.parametrize("extension", WRITABLE)
def test_no_rows_still_make_a_file(tmp_path, extension):
    assert write(tmp_path / f"none.{extension}").exists()
    path = write(tmp_path / f"t.{extension}", {"label": labels(), "score": np.zeros(0, np.float32)})
    if extension != "jsonl":
        assert list(read([path], ["label", "score"])) == []


def test_the_number_of_rows_is_counted(tmp_path):
    with open_writer(tmp_path / "t.csv") as writer:
        writer.write({"a": [1, 2]})
        writer.write({"a": [3]})
    assert writer.rows == 3


@pytest.mark.parametrize("extension", WRITABLE)
def test_the_name_appears_only_at_a_clean_end_and_replaces_what_was_there(tmp_path, extension):
    path = tmp_path / f"t.{extension}"
    path.write_text("before")
    with open_writer(path) as writer:
        writer.write({"a": [1]})
        assert path.read_text() == "before"
    assert path.read_bytes() != b"before"
    assert names_in(tmp_path) == [path.name]


@pytest.mark.parametrize("extension", WRITABLE)
@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_nothing_behind(tmp_path, extension, failure):
    def interrupted():
        with open_writer(tmp_path / f"t.{extension}") as writer:
            writer.write({"a": list(range(200_000))})
            raise failure

    with pytest.raises(failure):
        interrupted()
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("extension", WRITABLE)
@pytest.mark.parametrize("when", ["write", "close"])
def test_a_full_disk_is_said_so_and_leaves_nothing_behind(tmp_path, monkeypatch, extension, when):
    class FullDisk(io.FileIO):
        full = False

        def write(self, data):
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    def opened(path, mode):
        return FullDisk(path, mode)

    monkeypatch.setattr("pathlib.Path.open", opened)
    rows = {"a": np.arange(400_000), "b": ["x"] * 400_000}

    def fill():
        with open_writer(tmp_path / f"t.{extension}") as writer:
            writer._handle.full = when == "write"
            writer.write(rows if when == "write" else {"a": [1]})
            writer._handle.full = True
            if extension != "parquet":  # only Parquet has an end to write
                writer.write({"a": [1]})

    with pytest.raises(StorageFullError, match="no space is left"):
        fill()
    assert names_in(tmp_path) == []


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "t.csv").symlink_to(tmp_path / "real" / "t.csv")
    write(tmp_path / "t.csv", {"a": [1]})
    assert (tmp_path / "t.csv").is_symlink()
    assert (tmp_path / "real" / "t.csv").read_text() == '"a"\n1\n'


def test_a_dash_is_json_lines_on_standard_output(capfdbinary):
    write("-", {"text": ["é"]})
    assert capfdbinary.readouterr().out == '{"text": "é"}\n'.encode()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("t.xlsx", r"written as \.parquet, \.csv, \.tsv, \.jsonl"),
        ("t", "no extension"),
        ("nowhere/t.csv", "make it first: mkdir -p"),
        ("folder.csv", "is a folder"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_at_once(tmp_path, name, complaint):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match=complaint):
        open_writer(tmp_path / name)


@pytest.mark.parametrize("extension", WRITABLE)
@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ({"a": [1], "b": [1, 2]}, "should have one length"),
        ({}, "should have one length"),
        ({"b": [1], "a": [1]}, "the first block had a, b"),
        ({"a": [1]}, "the first block had a, b"),
    ],
)
def test_a_block_that_does_not_fit_is_refused(tmp_path, extension, block, complaint):
    with pytest.raises(UsageError, match=complaint):
        write(tmp_path / f"t.{extension}", {"a": [1], "b": [1]}, block)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("blocks", [[{"a": [1, "x"]}], [{"a": [1]}, {"a": ["x"]}]])
def test_a_column_of_several_types_is_refused_by_parquet(tmp_path, blocks):
    with pytest.raises(InputError, match=r"column 'a' .*write \.jsonl"):
        write(tmp_path / "t.parquet", *blocks)


def test_a_writer_is_a_context_manager_and_nothing_else(tmp_path):
    with pytest.raises(UsageError, match="with open_writer"):
        open_writer(tmp_path / "t.csv").write({"a": [1]})
    assert names_in(tmp_path) == []


def test_six_digits_are_those_that_printing_gives():
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [rng.standard_normal(5000) * 10.0 ** rng.integers(-40, 38, 5000), [0.0, -0.0, 1e-45, 999999.9, 1e300, 5e-324]]
    )
    printed = np.array([float(f"{value:.6g}") for value in values])
    rounded = six_digits(values)
    np.testing.assert_allclose(rounded, printed, rtol=1.1e-5)
    assert max(len(repr(float(value)).lstrip("-").split("e")[0].replace(".", "").strip("0")) for value in rounded) <= 6
    assert np.isnan(six_digits(np.array([np.nan]))[0])
    assert six_digits(np.array([np.inf, -np.inf])).tolist() == [np.inf, -np.inf]
