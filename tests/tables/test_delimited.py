"""CSV and TSV as they are found in the wild."""

import csv
import gzip

import pytest

from embank.errors import InputError
from embank.tables import check, read
from embank.tables.delimited import UNCLOSED


def only(path, *columns, **options):
    """Read a small file that is one block."""
    (block,) = read([path], columns, **options)
    return block


def csv_file(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_only_the_columns_asked_for_are_read_and_values_stay_strings(tmp_path):
    block = only(csv_file(tmp_path, b"id,text,score\n1,good,0.5\n2,,7\n"), "text", "score")
    assert block.columns == {"text": ["good", ""], "score": ["0.5", "7"]}
    assert (block.source, block.start, block.faults, len(block)) == (str(tmp_path / "t.csv"), 0, {}, 2)


def test_quoted_fields_may_hold_commas_line_ends_and_quotes(tmp_path):
    block = only(csv_file(tmp_path, b'id,text\n1,"a, b"\n2,"line\r\nline\nline"\n3,"say ""hi"""\n4,5" pipe\n'), "text")
    assert block.columns["text"] == ["a, b", "line\r\nline\nline", 'say "hi"', '5" pipe']


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_marks_leave_no_trace(tmp_path, end, mark):
    block = only(csv_file(tmp_path, mark + end.join([b"text,n", b"h\xc3\xa9,1", b"b,2", b""])), "text", "n")
    assert block.columns == {"text": ["hé", "b"], "n": ["1", "2"]}


def test_a_semicolon_is_the_delimiter_where_the_header_has_no_comma(tmp_path):
    assert only(csv_file(tmp_path, b"id;text\n1;a, b\n"), "text").columns["text"] == ["a, b"]


def test_a_tsv_file_has_tabs(tmp_path):
    assert only(csv_file(tmp_path, b"id\ttext\n1\ta, b; c\n", "t.tsv"), "text").columns["text"] == ["a, b; c"]


def test_a_gzipped_file_reads_like_a_plain_one(tmp_path):
    assert only(csv_file(tmp_path, gzip.compress(b"text\na\nb\n"), "t.csv.gz"), "text").columns["text"] == ["a", "b"]


def test_a_named_format_overrules_the_extension(tmp_path):
    path = csv_file(tmp_path, b"text\tn\na\t1\n", "t.dat")
    assert only(path, "text", as_format="tsv").columns["text"] == ["a"]


def test_rows_with_another_number_of_fields_are_faults_in_their_place(tmp_path):
    block = only(csv_file(tmp_path, b"text,n\na,1\nb\nc,3,x\nd,4\n"), "text", "n")
    assert block.columns == {"text": ["a", None, None, "d"], "n": ["1", None, None, "4"]}
    assert block.faults == {1: "1 field where 2 were expected", 2: "3 fields where 2 were expected"}


def test_invalid_utf8_is_a_fault_of_its_row_alone(tmp_path):
    block = only(csv_file(tmp_path, b"text,n\nok,1\nb\xe9d,2\n\xed\xa0\x80,3\nfine,4\n"), "text", "n")
    assert block.columns == {"text": ["ok", None, None, "fine"], "n": ["1", None, None, "4"]}
    assert block.faults == {1: "invalid UTF-8", 2: "invalid UTF-8"}


def test_invalid_utf8_in_a_column_nobody_asked_for_does_no_harm(tmp_path):
    assert only(csv_file(tmp_path, b"text,n\nok,\xff\n"), "text").faults == {}


def test_nul_bytes_are_characters_like_others(tmp_path):
    assert only(csv_file(tmp_path, b"text,n\na\0b,1\n"), "text").columns["text"] == ["a\0b"]


def test_a_field_of_ten_megabytes_is_read_whole(tmp_path):
    long = "x" * 10_000_000
    assert only(csv_file(tmp_path, f'text,n\n"{long}",1\nshort,2\n'.encode()), "text").columns["text"] == [
        long,
        "short",
    ]


def test_a_field_longer_than_the_limit_is_a_fault_and_reading_goes_on(tmp_path, monkeypatch):
    before = csv.field_size_limit(1000)
    monkeypatch.setattr("embank.tables.delimited._LONGEST_FIELD", 1000)
    try:
        block = only(csv_file(tmp_path, b"text,n\n" + b"x" * 2000 + b",1\nshort,2\n"), "text")
    finally:
        csv.field_size_limit(before)
    assert block.columns["text"] == [None, "short"]
    assert "128 MiB" in block.faults[0]


def test_a_quote_that_is_never_closed_is_a_fault_of_the_row_it_opens_in(tmp_path):
    block = only(csv_file(tmp_path, b'text,n\nok,1\n"lost,2\nalso lost,3\n'), "text")
    assert block.columns["text"] == ["ok", None]
    assert block.faults == {1: UNCLOSED}


def test_blank_lines_are_no_rows_but_quoted_empty_fields_are(tmp_path):
    assert only(csv_file(tmp_path, b'\ntext\na\n\n""\nb\n\n'), "text").columns["text"] == ["a", "", "b"]


def test_a_last_line_without_an_end_is_a_row(tmp_path):
    assert only(csv_file(tmp_path, b'text\na\n"b"'), "text").columns["text"] == ["a", "b"]


def test_a_header_without_rows_is_fine_and_yields_nothing(tmp_path):
    assert list(read([csv_file(tmp_path, b"text,n\n")], ["text"])) == []


def test_columns_without_a_name_do_no_harm(tmp_path):
    assert only(csv_file(tmp_path, b"text,,\na,,\n"), "text").columns["text"] == ["a"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,b,a\n1,2,3\n", "same name twice: a"),
        (b"t\xe9xt,n\na,1\n", "not UTF-8"),
        ("text\na\n".encode("utf-16"), "is UTF-16"),
        (b'"text\na\n', "no readable header: a quote that is never closed"),
        (b"Text,n\na,1\n", r"no column 'text' \(did you mean 'Text'\?\); its columns are: Text, n$"),
        (b"x,y\na,1\n", r"no column 'text'; its columns are: x, y$"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path, content, complaint):
    with pytest.raises(InputError, match=complaint) as refused:
        check([csv_file(tmp_path, content)], ["text"])
    assert "\n" not in str(refused.value)


def test_a_torn_gzip_file_is_refused_in_one_line(tmp_path):
    path = csv_file(tmp_path, gzip.compress(b"text\n" + bytes(range(32, 127)) * 500)[:-20], "t.csv.gz")
    with pytest.raises(InputError, match="cannot be read"):
        list(read([path], ["text"]))


def test_quotes_of_an_unquoted_tsv_file_are_part_of_the_text(tmp_path):
    content = b'n\ttext\n1\t"open and never closed\n2\tsay "hi"\n3\t"whole"\n'
    block = only(csv_file(tmp_path, content, "t.tsv"), "text", as_format="tsv-unquoted")
    assert block.columns["text"] == ['"open and never closed', 'say "hi"', '"whole"']
    assert block.faults == {}
