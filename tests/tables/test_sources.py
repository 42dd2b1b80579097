"""What a user can name: files, folders, several of them; all looked at before anything is read."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embank.errors import InputError, UsageError
from embank.tables import check, known_formats, read


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "b.csv").write_text("text\nb1\nb2\n")
    (tmp_path / "c.jsonl").write_text('{"text": "c"}\n')
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "a.parquet")
    (tmp_path / "README.md").write_text("not a table")
    (tmp_path / "LICENSE.txt").write_text("not a table")
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / ".hidden.csv").write_text("text\nhidden\n")
    (tmp_path / "deeper").mkdir()
    return tmp_path


def test_a_folder_is_read_in_sorted_order_and_its_files_are_the_sources(folder):
    read_back = [(block.source, block.start, block.columns["text"]) for block in read([f"{folder}/"], ["text"])]
    assert read_back == [
        (f"{folder}/a.parquet", 0, ["a"]),
        (f"{folder}/b.csv", 0, ["b1", "b2"]),
        (f"{folder}/c.jsonl", 0, ["c"]),
    ]


def test_several_sources_are_read_in_the_order_they_are_named(folder):
    blocks = read([folder / "c.jsonl", folder / "LICENSE.txt", str(folder / "b.csv")], ["text"])
    assert [Path(block.source).name for block in blocks] == ["c.jsonl", "LICENSE.txt", "b.csv"]


def test_a_flaw_of_the_last_source_is_found_before_the_first_is_read(folder):
    (folder / "z.csv").write_text("label\nx\n")
    with pytest.raises(InputError, match=r"z\.csv has no column 'text'"):
        read([folder / "a.parquet", folder / "b.csv", folder / "z.csv"], ["text"])


def test_two_missing_columns_are_named_together(folder):
    with pytest.raises(
        InputError, match=r"no columns 'txt' \(did you mean 'text'\?\), 'label'; its columns are: text$"
    ):
        check([folder / "b.csv"], ["txt", "label"])


def test_a_long_list_of_columns_is_cut(tmp_path):
    (tmp_path / "t.csv").write_text(",".join(f"c{i}" for i in range(100)) + "\n")
    with pytest.raises(InputError, match=r"c28, c29 and 70 more$"):
        check([tmp_path / "t.csv"], ["text"])


def test_what_is_not_there_is_refused_with_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no file or folder nothing\.csv; looked from /"):
        check(["nothing.csv"], ["text"])


def test_a_folder_without_tables_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("a\n")
    with pytest.raises(InputError, match="has no table in it"):
        check([tmp_path], ["text"])


def test_an_empty_file_in_a_folder_is_refused(folder):
    (folder / "d.csv").write_text("")
    with pytest.raises(InputError, match=r"d\.csv is empty"):
        check([folder], ["text"])


def test_a_file_that_may_not_be_read_is_refused_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("text\n")

    def denied(*_):
        raise PermissionError(13, "Permission denied", str(tmp_path / "t.csv"))

    monkeypatch.setattr("io.FileIO", denied)
    with pytest.raises(InputError, match=r"t\.csv cannot be read: Permission denied$"):
        check([tmp_path / "t.csv"], ["text"])


@pytest.mark.parametrize(
    ("sources", "columns", "options", "complaint"),
    [
        ([], ["text"], {}, "no source to read"),
        (["-"], [], {}, "no column to read"),
        (["-", "-"], ["text"], {}, "named twice"),
        (["-"], ["text"], {"as_format": "xml"}, "the formats are: csv, tsv, tsv-unquoted, jsonl, parquet, arrow, text"),
        (["-"], ["text"], {"block_rows": 0}, "one at least"),
    ],
)
def test_arguments_that_ask_for_nothing_are_refused(sources, columns, options, complaint):
    with pytest.raises(UsageError, match=complaint):
        read(sources, columns, **options)


def test_the_formats_have_names():
    assert known_formats() == ("csv", "tsv", "tsv-unquoted", "jsonl", "parquet", "arrow", "text")
