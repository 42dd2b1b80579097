"""Whatever is written comes back, in every format and in blocks of any size."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from embank.tables import open_writer, read

# A file cannot hold a lone surrogate. NUL and line ends of all kinds are included.
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=30)
QUICK = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=settings.default.max_examples * 3 // 5,
)


@pytest.mark.parametrize("extension", ["csv", "tsv", "jsonl", "parquet"])
@QUICK
@given(texts=TEXTS, block_rows=st.integers(1, 40), written=st.integers(1, 40))
@example(
    texts=['"', '""', "a\r\nb", "\r", "\n", "", " ", ",", "\t", ";", "\0", "\ufeff", "\u2028"], block_rows=1, written=3
)
def test_texts_come_back_exactly(tmp_path, extension, texts, block_rows, written):
    path = tmp_path / f"t.{extension}"
    with open_writer(path) as writer:
        for start in range(0, len(texts), written):
            part = texts[start : start + written]
            writer.write({"text": part, "n": list(range(start, start + len(part)))})
    blocks = list(read([path], ["n", "text"], block_rows=block_rows))
    assert [text for block in blocks for text in block.columns["text"]] == texts
    assert [int(n) for block in blocks for n in block.columns["n"]] == list(range(len(texts)))
    assert [block.start for block in blocks] == list(range(0, len(texts), block_rows))
    assert all(block.faults == {} for block in blocks)


@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet"])
@QUICK
@given(texts=TEXTS)
def test_a_sole_column_comes_back_row_for_row(tmp_path, extension, texts):
    path = tmp_path / f"t.{extension}"
    with open_writer(path) as writer:
        writer.write({"text": texts})
    assert [text for block in read([path], ["text"]) for text in block.columns["text"]] == texts


@QUICK
@given(
    lines=st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b"")), min_size=1),
    block_rows=st.integers(1, 20),
)
def test_blocks_together_are_the_whole_whatever_bytes_a_file_has(tmp_path, lines, block_rows):
    for name in ("t.csv", "t.jsonl", "t.txt"):
        (tmp_path / name).write_bytes(b'{"text": "first"}\n' + b"\n".join(lines) + b"\n")
        if name == "t.csv":
            (tmp_path / name).write_bytes(b"n,text\n" + b"\n".join(lines) + b"\n")
        (whole,) = list(read([tmp_path / name], ["text"])) or [None]
        parts = list(read([tmp_path / name], ["text"], block_rows=block_rows))
        if whole is None:
            assert parts == []
            continue
        assert [text for part in parts for text in part.columns["text"]] == whole.columns["text"]
        assert {part.start + at: why for part in parts for at, why in part.faults.items()} == whole.faults


@QUICK
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"i": st.none() | st.integers(-(2**63), 2**63 - 1), "b": st.none() | st.booleans()},
            optional={"l": st.none() | st.lists(st.text(st.characters(exclude_categories=["Cs"])))},
        ),
        min_size=1,
        max_size=20,
    )
)
def test_values_keep_type_and_absence_in_typed_formats(tmp_path, rows):
    columns = {name: [row.get(name) for row in rows] for name in ("i", "b", "l")}
    for name in ("t.jsonl", "t.parquet"):
        with open_writer(tmp_path / name) as writer:
            writer.write(columns)
        (block,) = read([tmp_path / name], ["i", "b", "l"])
        assert block.columns == columns
