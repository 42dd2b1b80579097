"""A run of encoding: nothing is encoded twice, nothing stops it, and what was finished is kept."""

from collections import Counter

import numpy as np
import pytest

from embank.codecs import codec_names
from embank.encode import TextBlock
from embank.encode.columns import check_reading
from embank.encode.options import BankOptions, EncodeSettings
from embank.encode.run import EncodeRun
from embank.encoders import Readout
from embank.errors import BankLockedError, EncoderChangedError, EncoderError, StorageFullError, UsageError
from embank.recipe import ColumnName
from embank.session import Session
from embank.store.folder import Store
from embank.store.kept_texts import unpack
from embank.store.vectors import codec_of
from embank.store.writing import Writer
from embank.testing import FakeEncoder
from embank.texts import text_key

COLUMN = "fake/2/mean@float32"
EVERY = [f"fake/2/mean@{codec}" for codec in codec_names()]
TEXTS = [f"message {number} says that the pump is {'cold ' * (number % 7)}broken" for number in range(40)]


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "bank") as opened:
        yield opened


def run(store, encoders, columns, blocks, stop=lambda: False, watch=lambda _: None, **settings):
    """One run; `encoders` is one encoder, or several by name."""
    by_name = encoders if isinstance(encoders, dict) else {encoders.facts.name: encoders}
    names = [ColumnName.parse(column) for column in columns]
    given = (
        blocks if not isinstance(blocks, list) or not blocks or isinstance(blocks[0], TextBlock) else [block(blocks)]
    )
    with store.writer() as writer:
        opened = EncodeRun(store, writer, names, lambda name, *_: by_name[name], EncodeSettings(**settings))
        return opened.run(given, watch, stop)


def block(texts, start=0, source="file", ids=None):
    return TextBlock(source, start, texts, ids=ids)


def stored(store, column, texts):
    numbers = store.catalogue.lookup([text_key(text) for text in texts])
    return store.reader(column).gather(numbers)


def vectors_by(encoder, texts, layer=2):
    return np.stack([encoder.vector_of(text, Readout(layer, "mean")) for text in texts])


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
    assert ("told to fail" in guilty[3]) or guilty[3] == "the encoder gave no finite numbers"
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
