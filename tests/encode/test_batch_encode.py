"""A window of texts through an encoder: order kept, the guilty isolated, windows averaged, interruptions obeyed."""

import numpy as np
import pytest

from embank.encode.batch_encode import encode_texts
from embank.encoders import Readout, Tokens
from embank.errors import EncoderError
from embank.testing import FakeEncoder

READOUTS = [Readout(2, "mean"), Readout(4, "max"), Readout(1, "last", ("unit",))]
TEXTS = [
    "the pump is broken",
    "a",
    "thanks , all fine",
    ("a question", "a context of many words"),
    " ".join(f"word{number}" for number in range(40)),
    ("b", "c"),
    "the parcel is late",
]


def right(encoder, texts, readout):
    return np.stack([encoder.vector_of(text, readout) for text in texts])


@pytest.mark.parametrize("budget", [1, 16, 64, 100_000])
def test_vectors_come_in_the_order_of_the_texts_whatever_the_batches(budget):
    encoder = FakeEncoder(budget=budget)
    found = encode_texts(encoder, TEXTS, READOUTS)
    for vectors, readout in zip(found.vectors.values(), READOUTS, strict=True):
        assert vectors.dtype == np.float32
        assert vectors.tobytes() == right(encoder, TEXTS, readout).tobytes()
    assert found.done.all()
    assert found.failures == {}
    assert set(encoder.encoded.values()) == {1}


def test_no_texts_need_no_pass():
    encoder = FakeEncoder()
    found = encode_texts(encoder, [], READOUTS)
    assert [vectors.shape for vectors in found.vectors.values()] == [(0, 16)] * 3
    assert encoder.calls == 0


def test_texts_that_lost_their_end_are_marked():
    found = encode_texts(FakeEncoder(max_tokens=6), TEXTS, READOUTS)
    assert found.cut.tolist() == [False, False, False, True, True, False, False]
    assert found.done.all()


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("tokens", "RuntimeError: this encoder fails on"),
        ("vectors", "RuntimeError: this encoder fails on"),
        ("numbers", "the encoder gave no finite numbers"),
    ],
)
@pytest.mark.parametrize("budget", [16, 100_000])
def test_only_the_text_that_an_encoder_fails_on_is_lost(where, reason, budget):
    encoder = FakeEncoder(budget=budget, failing={TEXTS[3]: where})
    found = encode_texts(encoder, TEXTS, READOUTS)
    assert list(found.failures) == [3]
    assert found.failures[3].startswith(reason)
    assert found.done.tolist() == [True, True, True, False, True, True, True]
    for vectors, readout in zip(found.vectors.values(), READOUTS, strict=True):
        others = [text for text in TEXTS if text != TEXTS[3]]
        assert vectors[found.done].tobytes() == right(encoder, others, readout).tobytes()


def test_several_texts_may_fail_each_in_its_own_way():
    failing = {TEXTS[0]: "tokens", TEXTS[2]: "vectors", TEXTS[6]: "numbers"}
    found = encode_texts(FakeEncoder(failing=failing), TEXTS, READOUTS)
    assert sorted(found.failures) == [0, 2, 6]
    assert found.done.tolist() == [False, True, False, True, True, True, False]


@pytest.mark.parametrize("where", ["tokens", "vectors", "numbers"])
@pytest.mark.parametrize("count", [1, 3])
def test_texts_that_all_fail_are_faults_where_the_encoder_runs(where, count):
    texts = TEXTS[:count]
    found = encode_texts(FakeEncoder(failing=dict.fromkeys(texts, where)), texts, READOUTS)
    assert sorted(found.failures) == list(range(count))
    assert not found.done.any()


@pytest.mark.parametrize("part", ["tokens", "vectors"])
def test_an_encoder_that_fails_on_everything_is_an_error(part, monkeypatch):
    def fail(*_):
        raise MemoryError("no memory for this model\nsecond line")

    encoder = FakeEncoder()
    monkeypatch.setattr(encoder, part, fail)
    with pytest.raises(EncoderError, match="fake failed on every text: MemoryError: no memory for this model$"):
        encode_texts(encoder, TEXTS, READOUTS)


def test_an_encoder_that_gives_no_numbers_at_all_is_an_error(monkeypatch):
    encoder = FakeEncoder()
    monkeypatch.setattr(
        encoder, "vectors", lambda batch, readouts: [np.full((batch.rows, 16), np.nan, np.float32) for _ in readouts]
    )
    with pytest.raises(EncoderError, match="no finite numbers"):
        encode_texts(encoder, TEXTS, READOUTS)


def test_a_batch_that_fails_as_a_whole_is_run_row_by_row():
    class Narrow(FakeEncoder):
        """Has memory for one row at a time."""

        def vectors(self, batch, readouts):
            if batch.rows > 1:
                raise MemoryError("too large")
            return super().vectors(batch, readouts)

    encoder = Narrow()
    found = encode_texts(encoder, TEXTS, READOUTS)
    assert found.done.all()
    assert found.vectors[READOUTS[0]].tobytes() == right(encoder, TEXTS, READOUTS[0]).tobytes()


def test_a_stop_keeps_what_was_encoded_by_then():
    encoder = FakeEncoder(budget=16)
    found = encode_texts(encoder, TEXTS, READOUTS, stop=lambda: encoder.calls == 2)
    assert encoder.calls == 2
    assert 0 < found.done.sum() < len(TEXTS)
    done = [text for text, kept in zip(TEXTS, found.done, strict=True) if kept]
    assert found.vectors[READOUTS[0]][found.done].tobytes() == right(encoder, done, READOUTS[0]).tobytes()
    assert found.failures == {}


def test_every_row_of_a_batch_is_told():
    told = []
    encoder = FakeEncoder(budget=16)
    encode_texts(encoder, TEXTS, READOUTS, tick=told.append)
    assert len(told) == encoder.calls > 2
    assert sum(told) == len(TEXTS)


def test_an_interruption_is_no_failure_of_a_text(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    for part in ("tokens", "vectors"):
        encoder = FakeEncoder()
        monkeypatch.setattr(encoder, part, interrupt)
        with pytest.raises(KeyboardInterrupt):
            encode_texts(encoder, TEXTS, READOUTS)


class Windowed(FakeEncoder):
    """Reads four words at a time, in rows of their own."""

    def tokens(self, texts):
        found = super().tokens(texts)
        rows = [(at, ids[place : place + 4]) for at, ids in enumerate(found.ids) for place in range(0, len(ids), 4)]
        for _, row in rows:
            self._texts[tuple((token, 0) for token in row)] = f"row of {len(row)}"
        owner = np.array([at for at, _ in rows], np.int64)
        return Tokens(ids=[row for _, row in rows], types=None, owner=owner, skip=0, cut=np.zeros(len(texts), np.bool_))


@pytest.mark.parametrize("budget", [8, 100_000])
def test_rows_of_one_text_are_averaged_by_their_tokens_and_scaled_again(budget):
    encoder = Windowed(budget=budget)
    texts = ["one two", "a b c d e f g h i", "x y z"]  # with the token for the whole: 3, 10 and 4 tokens
    readouts = [Readout(2, "mean"), Readout(2, "mean", ("unit",))]
    plain, unit = encode_texts(encoder, texts, readouts).vectors.values()
    ids = encoder.tokens(texts[1:2]).ids
    assert list(map(len, ids)) == [4, 4, 2]
    rows = [tuple((token, 0) for token in row) for row in ids]
    for vectors, readout in ((plain, readouts[0]), (unit, readouts[1])):
        parts = np.stack([encoder._vector(row, readout) for row in rows])
        average = (parts * np.array([[0.4], [0.4], [0.2]])).sum(0)
        expected = average / np.linalg.norm(average) if readout.steps else average
        np.testing.assert_allclose(vectors[1], expected, atol=1e-6)
        for at in (0, 2):  # texts in one row stay untouched, to the byte
            assert vectors[at].tobytes() == encoder.vector_of(texts[at], readout).tobytes()
    assert abs(np.linalg.norm(unit[1]) - 1) < 1e-6


def test_a_text_of_which_one_row_fails_is_lost_as_a_whole():
    encoder = Windowed(failing={"row of 2": "vectors"})
    found = encode_texts(encoder, ["one two", "a b c d e f g h i", "x y z"], READOUTS)
    assert found.done.tolist() == [True, False, True]
    assert list(found.failures) == [1]


def test_a_stop_between_rows_of_one_text_leaves_it_undone():
    encoder = Windowed(budget=8)
    found = encode_texts(encoder, ["a b c d e f g h i"], READOUTS, stop=lambda: encoder.calls == 1)
    assert not found.done.any()
    assert found.failures == {}
