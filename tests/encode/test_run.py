"""A run of encoding: nothing is encoded twice, every text is stored as its column says, progress is true."""

from collections import Counter

import numpy as np
import pytest

from embank.encode.columns import check_reading
from embank.encode.options import BankOptions, EncodeSettings
from embank.encode.run import EncodeRun
from embank.encoders import Readout
from embank.errors import EncoderChangedError, UsageError
from embank.recipe import ColumnName
from embank.session import Session
from embank.store.folder import Store
from embank.store.kept_texts import unpack
from embank.store.vectors import codec_of
from embank.testing import FakeEncoder
from material.encode_runs import COLUMN, EVERY, TEXTS, block, run, stored, vectors_by


def test_small_windows_add_up_to_what_is_worth_measuring(store, monkeypatch):
    monkeypatch.setattr("embank.encode.run.WORTH_MEASURING", 25)
    shown = []
    encoder = FakeEncoder()
    with store.writer() as writer:
        names = [ColumnName.parse(COLUMN)]
        EncodeRun(
            store, writer, names, lambda _, __, texts: shown.append(texts) or encoder, EncodeSettings(window=10)
        ).run([block(TEXTS[start : start + 10], start) for start in range(0, 40, 10)])
    assert [len(texts) for texts in shown] == [10, 20, 25, 25]
    assert sorted(shown[-1]) == sorted(TEXTS[15:])


# nothing twice


def test_what_is_known_is_not_encoded_again(store):
    encoder = FakeEncoder()
    first = run(store, encoder, [COLUMN], TEXTS)
    assert (first.rows, first.new, first.known, first.completed, first.n_faults) == (40, 40, 0, 0, 0)
    calls = encoder.calls
    second = run(store, encoder, [COLUMN], [*TEXTS, "one more"])
    assert (second.rows, second.new, second.known) == (41, 1, 40)
    assert encoder.calls == calls + 1
    assert set(encoder.encoded.values()) == {1}
    third = run(store, {}, [COLUMN], TEXTS)  # no encoder is even opened
    assert (third.new, third.known) == (0, 40)
    np.testing.assert_array_equal(stored(store, COLUMN, TEXTS), vectors_by(encoder, TEXTS))


@pytest.mark.parametrize("window", [1, 3, 7, 1000])
@pytest.mark.parametrize("segment_bytes", [1, 1 << 30])
def test_a_text_that_stands_in_several_rows_is_encoded_once(store, window, segment_bytes):
    texts = [TEXTS[number % 5] for number in range(30)]
    encoder = FakeEncoder()
    blocks = [block(texts[start : start + 4], start) for start in range(0, 30, 4)]
    report = run(store, encoder, [COLUMN], blocks, window=window, segment_bytes=segment_bytes)
    assert encoder.encoded == Counter(TEXTS[:5])
    assert (report.rows, report.new, report.known) == (30, 5, 25)
    assert store.catalogue.n_texts() == store.reader(COLUMN).n_rows == 5


def test_a_pair_is_a_text_of_its_own(store):
    encoder = FakeEncoder()
    texts = [("a b", "c"), ("a", "b c"), "a b c", ("a b", "c")]
    report = run(store, encoder, [COLUMN], texts)
    assert (report.new, report.known) == (3, 1)
    np.testing.assert_array_equal(stored(store, COLUMN, texts), vectors_by(encoder, texts))


def test_a_column_added_later_is_all_that_is_encoded(store):
    encoder = FakeEncoder()
    run(store, encoder, [COLUMN], TEXTS[:30])
    asked = []
    real = encoder.vectors
    encoder.vectors = lambda batch, readouts: asked.append(tuple(readouts)) or real(batch, readouts)
    report = run(store, encoder, [COLUMN, "fake/4/max@float16"], TEXTS[:30])
    assert (report.new, report.completed, report.known) == (0, 30, 0)
    assert set(asked) == {(Readout(4, "max"),)}
    before = store.catalogue.segments(store.column(COLUMN).number)
    again = run(store, {}, [COLUMN, "fake/4/max@float16"], TEXTS[:30])
    assert again.known == 30
    assert store.catalogue.segments(store.column(COLUMN).number) == before


def test_texts_that_lack_different_columns_each_get_what_they_lack(store):
    encoder = FakeEncoder()
    one, two, three = "fake/1/mean@float32", "fake/2/mean@float32", "fake/3/mean@float32"
    run(store, encoder, [one], TEXTS[:10])
    run(store, encoder, [two], TEXTS[5:15])
    run(store, encoder, [one, two], TEXTS[12:14])
    encoder.encoded.clear()
    report = run(store, encoder, [one, two, three], TEXTS[:20], window=3)
    assert (report.completed, report.new, report.known) == (15, 5, 0)
    assert encoder.encoded == Counter(TEXTS[:20])
    for layer, column in enumerate((one, two, three), 1):
        np.testing.assert_array_equal(stored(store, column, TEXTS[:20]), vectors_by(encoder, TEXTS[:20], layer))


def test_columns_that_differ_only_in_their_codec_share_one_pass(store):
    encoder = FakeEncoder(budget=100_000)
    run(store, encoder, ["fake/2/mean@float32", "fake/2/mean@float16"], TEXTS)
    assert encoder.calls == 1
    np.testing.assert_array_equal(stored(store, EVERY[1], TEXTS), stored(store, EVERY[0], TEXTS).astype(np.float16))


def test_columns_of_two_encoders_are_filled_in_one_run(store):
    one, two = FakeEncoder("one"), FakeEncoder("two", width=8)
    columns = ["one/2/mean@float32", "two/1/max@float16", "one/4/max@float32"]
    report = run(store, {"one": one, "two": two}, columns, TEXTS, window=9)
    assert report.new == 40
    assert set(one.encoded.values()) == set(two.encoded.values()) == {1}
    assert [store.reader(column).n_rows for column in columns] == [40] * 3
    assert set(store.catalogue.encoders()) == {"one", "two"}


@pytest.mark.parametrize("guilty", ["one", "two"])
def test_a_text_that_one_of_two_encoders_fails_on_has_no_half(store, guilty):
    failing = {"one": {}, "two": {}, guilty: {TEXTS[3]: "vectors"}}
    encoders = {
        "one": FakeEncoder("one", failing=failing["one"]),
        "two": FakeEncoder("two", width=8, failing=failing["two"]),
    }
    columns = ["one/2/mean@float32", "two/2/mean@float32"]
    report = run(store, encoders, columns, TEXTS)
    assert (report.new, report.n_faults) == (39, 1)
    assert [store.reader(column).n_rows for column in columns] == [39, 39]
    assert store.catalogue.n_texts() == 39


# bytes


@pytest.mark.parametrize("settings", [{"window": 1}, {"window": 7, "segment_bytes": 1}, {"window": 1000}])
@pytest.mark.parametrize("budget", [8, 5000])
def test_stored_bytes_depend_on_no_neighbour_no_order_and_no_window(tmp_path, settings, budget):
    with Store.create(tmp_path / "one") as one, Store.create(tmp_path / "other") as other:
        sample = TEXTS[:25]  # calibrates both banks alike
        for store in (one, other):
            run(store, FakeEncoder(), EVERY, sample)
        run(one, FakeEncoder(), EVERY, TEXTS)
        shuffled = [TEXTS[at] for at in np.random.default_rng(0).permutation(40)]
        run(other, FakeEncoder(budget=budget), EVERY, shuffled, **settings)
        for column in EVERY:
            assert one.column(column).recipe == other.column(column).recipe
            assert stored(one, column, TEXTS).tobytes() == stored(other, column, TEXTS).tobytes()


def test_stored_rows_are_what_the_columns_codec_makes_of_the_vectors(store):
    encoder = FakeEncoder()
    run(store, encoder, EVERY, TEXTS)
    for column in EVERY:
        codec = codec_of(store, store.column(column))
        assert stored(store, column, TEXTS).tobytes() == codec.encode(vectors_by(encoder, TEXTS)).tobytes()


def test_a_calibration_is_made_once_and_used_for_all_that_follows(store):
    encoder = FakeEncoder()
    run(store, encoder, ["fake/2/mean@int8", "fake/2/mean@binary"], TEXTS[:10])
    before = {name: column.calibration for name, column in store.catalogue.columns().items()}
    assert all(before.values())
    calls = encoder.calls
    far = [f"utterly different {number} {'x ' * number}" for number in range(5)]
    run(store, encoder, ["fake/2/mean@int8", "fake/2/mean@binary"], far)
    assert encoder.calls == calls + 1
    assert {name: column.calibration for name, column in store.catalogue.columns().items()} == before
    assert [store.reader(name).n_rows for name in before] == [15, 15]


def test_a_column_that_learns_nothing_costs_no_pass_for_calibration(store):
    encoder = FakeEncoder(budget=100_000)
    run(store, encoder, ["fake/2/mean@float16"], TEXTS)
    assert encoder.calls == 1


def test_faulty_texts_have_no_part_in_a_calibration(tmp_path):
    columns = ["fake/2/mean@int8", "fake/2/mean@binary"]
    sound = [*TEXTS[:4], *TEXTS[6:]]
    failing = {TEXTS[4]: "numbers", TEXTS[5]: "tokens"}
    with Store.create(tmp_path / "one") as one, Store.create(tmp_path / "other") as other:
        report = run(one, FakeEncoder(failing=failing), columns, TEXTS)
        run(other, FakeEncoder(), columns, sound)
        assert (report.new, report.n_faults) == (38, 2)
        for column in columns:
            assert one.column(column).recipe == other.column(column).recipe


# the texts themselves


def test_texts_are_kept_where_asked_and_fill_columns_without_their_files(store):
    encoder = FakeEncoder()
    texts = [*TEXTS, ("a question", "its context"), "Zürich 🙏"]
    run(store, encoder, [COLUMN], texts, keep_text=True, window=9)
    assert {unpack(body) for _, body in store.catalogue.bodies()} == set(texts)
    kept = Session(store, BankOptions()).kept_blocks()
    report = run(store, encoder, ["fake/4/max@float16"], kept)
    assert (report.completed, report.new) == (42, 0)
    assert store.reader("fake/4/max@float16").n_rows == 42


def test_texts_are_not_kept_unless_asked(store):
    run(store, FakeEncoder(), [COLUMN], TEXTS)
    assert store.catalogue.body_counts() == (0, 0)
    with pytest.raises(UsageError, match="keeps no texts: give the files again, or encode with --keep-text"):
        list(Session(store, BankOptions()).kept_blocks())


# other encoders under a known name


def test_an_encoder_that_reads_differently_is_refused_with_what_differs(store):
    run(store, FakeEncoder(), [COLUMN], TEXTS[:3])
    check_reading(store, "fake", FakeEncoder().reading, "/models/fake")
    check_reading(store, "another", FakeEncoder(width=8).reading, "/models/fake")
    with pytest.raises(EncoderChangedError, match=r"reads differently \(max_tokens 64 there, 9 here\)"):
        check_reading(store, "fake", FakeEncoder(max_tokens=9).reading, "/models/fake")
    with pytest.raises(
        EncoderChangedError, match=r"weights 'fake-16-4' there, 'fake-8-4' here.*--encoder fake-2=/models/fake$"
    ):
        check_reading(store, "fake", FakeEncoder(width=8).reading, "/models/fake")


# memory and progress


def largest_group(queue):
    """How many texts wait in the largest group."""
    return max(map(len, queue._groups.values()), default=0)


@pytest.mark.parametrize(("window", "size"), [(10, 4), (10, 10), (8, 24), (100, 7)])
def test_no_more_texts_wait_than_a_window_and_a_block(store, window, size):
    run(store, FakeEncoder(), ["fake/1/mean@float32"], TEXTS[::3])
    names = [ColumnName.parse(COLUMN), ColumnName.parse("fake/1/mean@float32")]
    waiting = []

    def blocks(task):
        for start in range(0, 40, size):
            waiting.append(largest_group(task._queue))
            yield block(TEXTS[start : start + size], start)
        waiting.append(largest_group(task._queue))

    with store.writer() as writer:
        encoder = FakeEncoder()
        task = EncodeRun(store, writer, names, lambda *_: encoder, EncodeSettings(window=window))
        task.run(blocks(task))
    assert max(waiting) < window  # what is full is encoded before the next block is asked for
    assert not task._queue._by_key
    assert store.reader(COLUMN).n_rows == 40


def test_rows_are_committed_when_they_weigh_enough(store):
    committed = []

    def watch(_):
        committed.append(store.catalogue.n_texts())

    run(store, FakeEncoder(), [COLUMN], TEXTS, watch=watch, window=5, segment_bytes=10 * 16 * 4)
    assert {0, 10, 20, 30} <= set(committed)
    assert committed == sorted(committed)


def test_progress_counts_each_text_once_and_ends_at_the_truth(store):
    seen = []
    two = {"one": FakeEncoder("one", budget=64), "two": FakeEncoder("two", width=8, budget=64)}
    columns = ["one/1/mean@float32", "two/1/mean@float32"]
    report = run(store, two, columns, TEXTS, watch=lambda so_far: seen.append(so_far.new), window=16)
    assert seen == sorted(seen)
    assert seen[-1] == report.new == 40
    assert max(seen) == 40


def test_a_run_over_nothing_leaves_the_bank_as_it_was(store):
    for nothing in ([], [block([])]):
        report = run(store, FakeEncoder(), [COLUMN], nothing)
        assert (report.rows, report.new, report.n_faults, report.interrupted) == (0, 0, 0, False)
    assert store.catalogue.columns() == {}
