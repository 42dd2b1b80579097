"""Blocks come before the source has been read to its end, and never grow with it."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embank.tables import read
from embank.tables.stretches import HEAVY, arrow_stretches, stretches


class Endless(io.RawIOBase):
    """An input that never ends and counts what was taken from it."""

    def __init__(self, line, head=b""):
        self.line = line
        self.pending = head
        self.taken = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        while len(self.pending) < len(buffer):
            self.pending += self.line * 1000
        buffer[:], self.pending = self.pending[: len(buffer)], self.pending[len(buffer) :]
        self.taken += len(buffer)
        return len(buffer)


@pytest.mark.parametrize(
    ("line", "head", "as_format"),
    [
        (b"some text\n", b"", "text"),
        (b'{"text": "some text"}\n', b"", "jsonl"),
        (b'7,"some text"\n', b"n,text\n", "csv"),
    ],
)
def test_an_input_without_end_yields_its_first_blocks(monkeypatch, line, head, as_format):
    source = Endless(line, head)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(source)))
    blocks = read(["-"], ["text"], as_format=as_format, block_rows=100)
    first, second = next(blocks), next(blocks)
    assert [first.start, second.start] == [0, 100]
    assert second.columns["text"] == ["some text"] * 100
    assert source.taken < 1 << 20
    blocks.close()


def test_very_long_rows_end_a_block_early(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(('{"text": "' + "x" * 1_000_000 + '"}\n') * 150)
    sizes = [len(block) for block in read([path], ["text"])]
    assert sum(sizes) == 150
    assert max(sizes) < 120


def test_very_long_rows_of_parquet_end_a_block_early(tmp_path):
    pq.write_table(pa.table({"text": ["x" * 1_000_000 + str(i) for i in range(80)]}), tmp_path / "t.parquet")
    blocks = list(read([tmp_path / "t.parquet"], ["text"]))
    assert max(map(len, blocks)) < 70
    assert [block.columns["text"][0][1_000_000:] for block in blocks] == [str(block.start) for block in blocks]


def test_rows_are_weighed_before_a_whole_stretch_is_held():
    rows = iter(range(10**9))
    first = next(stretches(rows, 10**9, lambda lot: HEAVY * len(lot)))
    assert len(first) < 1000


def test_arrow_batches_of_any_size_are_cut_evenly():
    batches = (
        pa.record_batch({"n": list(range(start, start + size))}) for start, size in [(0, 5), (5, 0), (5, 1), (6, 9)]
    )
    assert [table["n"].to_pylist() for table in arrow_stretches(batches, 4)] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
        [12, 13, 14],
    ]
