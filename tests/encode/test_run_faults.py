"""A run of encoding: bad rows and interruptions stop nothing, what was finished is kept, ids point to their texts."""

import numpy as np
import pytest

from embank.encode import TextBlock
from embank.errors import BankLockedError, EncoderError, StorageFullError
from embank.store.folder import Store
from embank.store.writing import Writer
from embank.testing import FakeEncoder
from embank.texts import text_key
from material.encode_runs import COLUMN, TEXTS, block, run, stored, vectors_by

# ids


def test_ids_point_to_their_texts_wherever_these_stand(store):
    run(store, FakeEncoder(), [COLUMN], [block(["a", "b"], ids=[1, "x"])])
    blocks = [
        block(["a", "c", "c"], ids=[2, 3, "4"]),  # a known text, a new one twice
        block(["c", "d", "a"], 3, ids=[5, None, True]),  # across windows; no id; a truth value is no number
    ]
    run(store, FakeEncoder(), [COLUMN], blocks, window=1)
    keys = [text_key(text) for text in "abc"]
    a, b, c = store.catalogue.lookup(keys).tolist()
    assert store.catalogue.texts_of_ids([1, "x", 2, 3, "4", 5, "True"]) == {
        1: a,
        "x": b,
        2: a,
        3: c,
        "4": c,
        5: c,
        "True": a,
    }
    assert store.catalogue.n_ids() == 7


def test_an_id_that_pointed_to_another_text_moves_and_is_counted(store):
    run(store, FakeEncoder(), [COLUMN], [block(["a", "b", "c"], ids=[1, 2, 3])])
    report = run(store, FakeEncoder(), [COLUMN], [block(["b", "new", "c", "newer"], ids=[1, 2, 3, 4])])
    assert report.moved == 2  # to a known text, and to a new one
    b, new = store.catalogue.lookup([text_key("b"), text_key("new")]).tolist()
    assert store.catalogue.texts_of_ids([1, 2]) == {1: b, 2: new}
    assert run(store, FakeEncoder(), [COLUMN], [block(["b", "new"], ids=[1, 2])]).moved == 0


def test_ids_are_kept_where_a_known_text_is_only_completed(store):
    run(store, FakeEncoder(), [COLUMN], ["a", "b"])
    run(store, FakeEncoder(), [COLUMN, "fake/4/mean@float32"], [block(["b", "a"], ids=["second", "first"])])
    a, b = store.catalogue.lookup([text_key("a"), text_key("b")]).tolist()
    assert store.catalogue.texts_of_ids(["first", "second"]) == {"first": a, "second": b}


# faults


ODD = ["fine", None, 3.5, "", "  \n", "lone \ud800", ("a", None), ("", "b"), ["list"], "guilty", "also fine"]
REASONS = [
    (1, "null"),
    (2, "not a string: float"),
    (3, "empty"),
    (4, "empty"),
    (5, "lone surrogate: not valid Unicode"),
    (6, "second of the pair: null"),
    (7, "first of the pair: empty"),
    (8, "not a string: list"),
]


@pytest.mark.parametrize("where", ["tokens", "vectors", "numbers"])
def test_rows_that_cannot_be_encoded_are_recorded_and_stop_nothing(store, where):
    encoder = FakeEncoder(failing={"guilty": where})
    ids = [f"row {number}" for number in range(len(ODD))]
    report = run(store, encoder, [COLUMN], [TextBlock("odd.csv", 100, ODD, ids=ids, faults={10: "unreadable"})])
    found = store.catalogue.faults()
    expected = [("odd.csv", 100 + at, f"row {at}", reason) for at, reason in [*REASONS, (10, "unreadable")]]
    assert [fault for fault in found if fault[1] != 109] == expected
    (guilty,) = [fault for fault in found if fault[1] == 109]
    assert guilty[:3] == ("odd.csv", 109, "row 9")
    assert ("encoder fails on" in guilty[3]) or guilty[3] == "the encoder gave no finite numbers"
    assert {(one.source, one.position, one.id, one.reason) for one in report.faults} == set(found)
    assert (report.n_faults, report.new, report.rows) == (10, 1, 11)
    np.testing.assert_array_equal(stored(store, COLUMN, ["fine"]), vectors_by(encoder, ["fine"]))


def test_reading_a_source_again_retries_its_faults_and_leaves_those_of_others(store):
    failing = FakeEncoder(failing={"guilty": "vectors"})
    run(store, failing, [COLUMN], [block(["a", "guilty", None], source="one"), block([None], source="two")])
    assert [fault[:2] for fault in store.catalogue.faults()] == [("one", 1), ("one", 2), ("two", 0)]
    still = run(store, failing, [COLUMN], [block(["a", "guilty", None], source="one")])  # nothing but the guilty runs
    assert (still.n_faults, still.known) == (2, 1)
    assert len(store.catalogue.faults()) == 3
    report = run(store, FakeEncoder(), [COLUMN], [block(["a", "guilty", None], source="one")])
    assert (report.new, report.n_faults) == (1, 1)
    assert [fault[:2] for fault in store.catalogue.faults()] == [("one", 2), ("two", 0)]


def test_faults_of_one_source_in_several_blocks_are_all_kept(store):
    run(store, FakeEncoder(), [COLUMN], [block(["a", None]), block([None, "b"], 2), block([None], 4)])
    assert [fault[1] for fault in store.catalogue.faults()] == [1, 2, 4]


def test_all_faults_are_banked_and_the_first_are_reported(store):
    report = run(store, FakeEncoder(), [COLUMN], [None] * 250)
    assert report.n_faults == len(store.catalogue.faults()) == 250
    assert [fault.position for fault in report.faults] == list(range(100))


def test_an_encoder_that_fails_on_everything_stops_the_run_and_keeps_what_was_finished(store):
    encoder = FakeEncoder()
    blocks = [block(TEXTS[:10]), block(TEXTS[10:20], 10)]
    real = encoder.vectors

    def wearing_out(batch, readouts):
        if encoder.calls >= 1:
            raise MemoryError("no memory")
        return real(batch, readouts)

    encoder.vectors = wearing_out
    with pytest.raises(EncoderError, match="failed on every text: MemoryError"):
        run(store, encoder, [COLUMN], blocks, window=10)
    assert store.catalogue.n_texts() == store.reader(COLUMN).n_rows == 10


def test_over_long_texts_are_counted_once_each(store):
    report = run(store, FakeEncoder(max_tokens=8), [COLUMN, "fake/4/max@float32"], TEXTS)
    assert report.cut == sum(len(text.split()) + 1 > 8 for text in TEXTS)
    assert report.new == 40


# interruptions


def test_a_stop_keeps_what_was_finished_and_the_next_run_completes_it(store):
    encoder = FakeEncoder(budget=64)
    report = run(store, encoder, [COLUMN], TEXTS, stop=lambda: encoder.calls >= 3)
    assert report.interrupted
    assert encoder.calls == 3
    assert 0 < report.new < 40
    assert store.catalogue.n_texts() == store.reader(COLUMN).n_rows == report.new
    again = run(store, encoder, [COLUMN], TEXTS)
    assert (again.known, again.new, again.interrupted) == (report.new, 40 - report.new, False)
    assert set(encoder.encoded.values()) == {1}
    np.testing.assert_array_equal(stored(store, COLUMN, TEXTS), vectors_by(encoder, TEXTS))


def test_after_a_stop_no_further_block_is_read(store):
    encoder, read = FakeEncoder(), []

    def blocks():
        for start in range(0, 40, 10):
            read.append(start)
            yield block(TEXTS[start : start + 10], start)

    run(store, encoder, [COLUMN], blocks(), stop=lambda: encoder.calls >= 1, window=10)
    assert len(read) <= 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interruption_inside_the_encoder_keeps_finished_windows(store, error):
    encoder = FakeEncoder(budget=10_000)
    real = encoder.vectors

    def interrupted(batch, readouts):
        if encoder.calls == 2:
            raise error
        return real(batch, readouts)

    encoder.vectors = interrupted
    blocks = [block(TEXTS[start : start + 10], start) for start in range(0, 40, 10)]
    with pytest.raises(error):
        run(store, encoder, [COLUMN], blocks, window=10)
    assert store.catalogue.n_texts() == store.reader(COLUMN).n_rows == 20
    encoder.vectors = real
    assert run(store, encoder, [COLUMN], blocks).new == 20
    assert set(encoder.encoded.values()) == {1}


def test_a_source_that_breaks_off_keeps_what_was_encoded(store):
    def blocks():
        yield block(TEXTS[:10])
        yield block(TEXTS[10:14], 10)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        run(store, FakeEncoder(), [COLUMN], blocks(), window=10)
    assert store.catalogue.n_texts() == 10


def test_rows_that_could_not_be_written_are_not_taken_for_done(store, monkeypatch):
    encoder = FakeEncoder()
    real = Writer.append

    def full(*_):
        raise StorageFullError("no space left")

    monkeypatch.setattr(Writer, "append", full)
    with pytest.raises(StorageFullError):
        run(store, encoder, [COLUMN], TEXTS)
    monkeypatch.setattr(Writer, "append", real)
    assert store.catalogue.n_texts() == 0
    assert run(store, encoder, [COLUMN], TEXTS).new == 40


def test_a_second_writer_is_refused_and_readers_are_not_blocked(store):
    run(store, FakeEncoder(), [COLUMN], TEXTS[:5])
    with store.writer():
        with Store(store.root) as other, pytest.raises(BankLockedError):
            run(other, FakeEncoder(), [COLUMN], TEXTS)
        assert stored(store, COLUMN, TEXTS[:5]).shape == (5, 16)
