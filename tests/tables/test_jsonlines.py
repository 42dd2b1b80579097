"""JSON lines, whole and broken."""

import gzip
import json

import pytest

from embank.errors import InputError
from embank.tables import check, read


def only(path, *columns):
    (block,) = read([path], columns)
    return block


def jsonl_file(tmp_path, content, name="t.jsonl"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_values_keep_their_json_types(tmp_path):
    row = {"text": "é", "n": 1, "x": 0.5, "flag": True, "none": None, "labels": ["a", "b"]}
    block = only(jsonl_file(tmp_path, json.dumps(row).encode()), *row)
    assert block.columns == {name: [value] for name, value in row.items()}


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.json"])
def test_all_usual_extensions_are_known(tmp_path, name):
    assert only(jsonl_file(tmp_path, b'{"text": "a"}\n', name), "text").columns["text"] == ["a"]


def test_a_gzipped_file_reads_like_a_plain_one(tmp_path):
    path = jsonl_file(tmp_path, gzip.compress(b'{"text": "a"}\n'), "t.jsonl.gz")
    assert only(path, "text").columns["text"] == ["a"]


def test_a_missing_key_is_none_and_no_fault(tmp_path):
    block = only(jsonl_file(tmp_path, b'{"text": "a", "n": 1}\n{"text": "b"}\n'), "text", "n")
    assert (block.columns["n"], block.faults) == ([1, None], {})


def test_lines_that_cannot_be_read_are_faults_in_their_place(tmp_path):
    lines = [b'{"text": "a"}', b'{"text": ', b"[1]", b'"text"', b'{"text": "\xff"}', b"[" * 100_000, b'{"text": "z"}']
    block = only(jsonl_file(tmp_path, b"\n".join(lines)), "text")
    assert block.columns["text"] == ["a", None, None, None, None, None, "z"]
    assert block.faults == {
        1: "malformed JSON",
        2: "not a JSON object",
        3: "not a JSON object",
        4: "invalid UTF-8",
        5: "malformed JSON",
    }


def test_a_number_of_thousands_of_digits_is_a_fault_and_not_a_crash(tmp_path):
    block = only(jsonl_file(tmp_path, b'{"text": "a"}\n{"text": ' + b"1" * 5000 + b"}\n"), "text")
    assert block.faults == {1: "malformed JSON"}


def test_lone_surrogates_come_through_for_the_caller_to_record(tmp_path):
    block = only(jsonl_file(tmp_path, b'{"text": "a\\ud800"}\n'), "text")
    assert (block.columns["text"], block.faults) == (["a\ud800"], {})


def test_marks_blank_lines_and_carriage_returns_leave_no_trace(tmp_path):
    content = b'\xef\xbb\xbf{"text": "a"}\r\n\r\n  \n{"text": "b"}\r\n'
    assert only(jsonl_file(tmp_path, content), "text").columns["text"] == ["a", "b"]


def test_line_separators_inside_a_text_do_not_cut_it(tmp_path):
    path = jsonl_file(tmp_path, json.dumps({"text": "a\u2028b\x85c"}, ensure_ascii=False).encode())
    assert only(path, "text").columns["text"] == ["a\u2028b\x85c"]


@pytest.mark.parametrize("key", ["late", "spät"])
@pytest.mark.parametrize("escaped", [True, False])
def test_a_key_that_shows_late_in_a_file_is_still_a_column(tmp_path, key, escaped):
    line = json.dumps({"text": "z", key: 1}, ensure_ascii=escaped).encode()
    path = jsonl_file(tmp_path, b'{"text": "a"}\n' * 12_000 + line)
    check([path], ["text", key])
    assert [value for block in read([path], [key]) for value in block.columns[key]][-2:] == [None, 1]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"\n\n", "no JSON object"),
        (b"[\n 1\n]\n", "expected one object per line"),
        (b'{"txt": "a"}\n' * 11_000, r"no column 'text' \(did you mean 'txt'\?\); its columns are: txt$"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path, content, complaint):
    with pytest.raises(InputError, match=complaint):
        check([jsonl_file(tmp_path, content)], ["text"])
