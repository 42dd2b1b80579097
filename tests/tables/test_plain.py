"""Plain text, one text a line."""

import gzip

import pytest

from embank.errors import InputError
from embank.tables import check, read


def only(path, *columns):
    (block,) = read([path], columns)
    return block


def text_file(tmp_path, content, name="t.txt"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_every_line_is_a_row_and_an_empty_line_an_empty_text(tmp_path):
    path = text_file(tmp_path, b"\xef\xbb\xbfone\r\n\ntw\xc3\xb6\nlast \x0b line")
    assert only(path, "text").columns["text"] == ["one", "", "twö", "last \x0b line"]


def test_the_column_goes_by_the_name_that_is_asked_for(tmp_path):
    assert only(text_file(tmp_path, b"one\n"), "sentence").columns == {"sentence": ["one"]}


@pytest.mark.parametrize("name", ["notes", "notes.log", "notes.md"])
def test_an_unknown_extension_is_plain_text(tmp_path, name):
    assert only(text_file(tmp_path, b"one, two\n", name), "text").columns["text"] == ["one, two"]


def test_a_gzipped_file_reads_like_a_plain_one(tmp_path):
    assert only(text_file(tmp_path, gzip.compress(b"one\ntwo"), "t.txt.gz"), "text").columns["text"] == ["one", "two"]


def test_invalid_utf8_is_a_fault_of_its_line_alone(tmp_path):
    block = only(text_file(tmp_path, b"one\nb\xe9d\ntwo\n"), "text")
    assert (block.columns["text"], block.faults) == (["one", None, "two"], {1: "invalid UTF-8"})


def test_a_second_column_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no column 'label'; its columns are: text$"):
        check([text_file(tmp_path, b"one\n")], ["text", "label"])


def test_a_binary_file_of_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match="name the format with --format"):
        check([text_file(tmp_path, b"PK\x03\x04\0\0", "t.xlsx")], ["text"])


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="is empty"):
        check([text_file(tmp_path, b"")], ["text"])
