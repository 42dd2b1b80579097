"""Parquet and Arrow files, with the column types that users have."""

from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embank.errors import InputError
from embank.tables import check, read


def parquet(tmp_path, columns, name="t.parquet", **options):
    path = tmp_path / name
    pq.write_table(pa.table(columns), path, **options)
    return path


def only(path, *columns):
    (block,) = read([path], columns)
    return block


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["a", None, "é"]),
        pa.array(["a", None, "é"], pa.large_string()),
        pa.array(["a", None, "é"]).dictionary_encode(),
        pa.array([b"a", None, "é".encode()], pa.binary()),
        pa.array([b"a", None, "é".encode()], pa.large_binary()),
        pa.array([b"a", None, "é".encode()]).dictionary_encode(),
    ],
    ids=lambda array: str(array.type),
)
def test_texts_of_every_type_come_back_as_strings(tmp_path, array):
    assert only(parquet(tmp_path, {"text": array}), "text").columns["text"] == ["a", None, "é"]


def test_numbers_flags_and_lists_keep_their_types(tmp_path):
    rows = {"n": [1, None], "x": [0.5, 2.0], "flag": [True, None], "labels": [["a", "b"], []], "vectors": [[[1.0]], []]}
    assert only(parquet(tmp_path, rows), *rows).columns == rows


def test_lists_of_bytes_and_decimals_become_plain(tmp_path):
    path = parquet(tmp_path, {"labels": pa.array([[b"a"], None]), "price": [Decimal("1.50"), None]})
    assert only(path, "labels", "price").columns == {"labels": [["a"], None], "price": [1.5, None]}


@pytest.mark.parametrize("dictionary", [False, True])
@pytest.mark.parametrize("declared", [pa.binary(), pa.string()])
def test_invalid_utf8_is_a_fault_of_its_row_alone(tmp_path, declared, dictionary):
    broken = pa.array([b"ok", b"b\xe9d", None], pa.binary()).view(declared)
    path = parquet(tmp_path, {"text": broken.dictionary_encode() if dictionary else broken, "n": [1, 2, 3]})
    block = only(path, "text", "n")
    assert block.columns == {"text": ["ok", None, None], "n": [1, None, 3]}
    assert block.faults == {1: "invalid UTF-8"}


def test_invalid_utf8_inside_a_list_is_a_fault_too(tmp_path):
    block = only(parquet(tmp_path, {"labels": pa.array([[b"ok"], [b"ok", b"\xff"]])}), "labels")
    assert (block.columns["labels"], block.faults) == ([["ok"], None], {1: "invalid UTF-8"})


def test_a_dot_in_a_name_selects_no_other_column(tmp_path):
    path = parquet(tmp_path, {"a": [1], "a.b": [2], "c": [{"d": 3}]})
    assert only(path, "a.b").columns == {"a.b": [2]}
    assert only(path, "a", "c").columns == {"a": [1], "c": [{"d": 3}]}


def test_row_groups_do_not_show(tmp_path):
    path = parquet(tmp_path, {"n": list(range(10))}, row_group_size=3)
    blocks = list(read([path], ["n"], block_rows=4))
    assert [(block.start, block.columns["n"]) for block in blocks] == [
        (0, [0, 1, 2, 3]),
        (4, [4, 5, 6, 7]),
        (8, [8, 9]),
    ]


def test_a_file_without_rows_is_fine_and_yields_nothing(tmp_path):
    assert list(read([parquet(tmp_path, {"text": pa.array([], pa.string())})], ["text"])) == []


@pytest.mark.parametrize("opened", [pa.ipc.new_file, pa.ipc.new_stream])
def test_arrow_files_and_streams_are_read(tmp_path, opened):
    table = pa.table({"text": ["a", "b"], "n": [1, 2]})
    with opened(tmp_path / "t.arrow", table.schema) as writer:
        writer.write_table(table)
    assert only(tmp_path / "t.arrow", "text").columns == {"text": ["a", "b"]}


@pytest.mark.parametrize("view", [pa.string_view(), pa.binary_view()])
def test_views_come_back_as_strings(tmp_path, view):
    table = pa.table({"text": pa.array([b"a", None], pa.binary()).cast(view)})
    with pa.ipc.new_stream(tmp_path / "t.arrow", table.schema) as writer:
        writer.write_table(table)
    assert only(tmp_path / "t.arrow", "text").columns == {"text": ["a", None]}


def test_a_missing_column_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(InputError, match=r"no column 'txt' \(did you mean 'text'\?\); its columns are: text, n$"):
        check([parquet(tmp_path, {"text": ["a"], "n": [1]})], ["txt"])


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    pq.write_table(pa.table([["a"], ["b"]], names=["text", "text"]), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="same column twice"):
        check([tmp_path / "t.parquet"], ["text"])


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
@pytest.mark.parametrize("content", [b"", b"PAR1 and then nothing", b"\0" * 200])
def test_a_corrupt_file_is_refused_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name) as refused:
        list(read([tmp_path / name], ["text"]))
    assert "\n" not in str(refused.value)


def test_damage_behind_a_sound_footer_is_an_error_in_one_line(tmp_path):
    path = parquet(tmp_path, {"text": [f"text {i}" for i in range(5000)]})
    damaged = bytearray(path.read_bytes())
    damaged[4:2000] = bytes(1996)
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="cannot be read") as refused:
        list(read([path], ["text"]))
    assert "\n" not in str(refused.value)
