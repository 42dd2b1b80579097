"""States are banked in the same pass as vectors: unpadded, per text, whatever the batch, within a budget."""

import numpy as np
import pytest

from embank.codecs import codec_names
from embank.codecs.reduction import limited
from embank.encoders import Readout
from embank.recipe import ColumnName
from embank.store.folder import Store
from embank.store.states import StatesReader
from embank.store.vectors import codec_of
from embank.store.verify import verify
from embank.testing import FakeEncoder, encode_with
from embank.texts import text_key
from encode.test_run import block, run

STATES, VECTORS = "fake/2/states@float32", "fake/2/mean@float32"
TEXTS = [f"message {number} says that the pump is {'cold ' * (number % 7)}broken" for number in range(40)]
READOUT = Readout(2, "states")


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "bank") as opened:
        yield opened


def states(store, column, texts):
    numbers = store.catalogue.lookup([text_key(text) for text in texts])
    found = StatesReader(store.reader(column)).gather(numbers)
    codec = codec_of(store, store.column(column))
    return [codec.decode(part) for part in found.blocks()]


@pytest.mark.parametrize("budget", [16, 64, 4096])
def test_states_of_a_text_do_not_depend_on_its_batch(store, budget):
    encoder = FakeEncoder(budget=budget)
    run(store, encoder, [STATES, VECTORS], TEXTS)
    for text, found in zip(TEXTS, states(store, STATES, TEXTS), strict=True):
        assert found.tobytes() == encoder.states_of(text, READOUT).tobytes()
    assert verify(store) == []


def test_one_pass_fills_states_and_vectors(store):
    encoder = FakeEncoder(budget=4096)
    run(store, encoder, [STATES, VECTORS, "fake/3/max@int8"], TEXTS)
    calls = encoder.calls
    assert store.reader(STATES).n_rows == store.reader(VECTORS).n_rows == len(TEXTS)
    report = run(store, encoder, [STATES, VECTORS], TEXTS)
    assert (report.known, encoder.calls) == (len(TEXTS), calls)


def test_states_can_be_added_to_texts_that_have_vectors(store):
    encoder = FakeEncoder()
    run(store, encoder, [VECTORS], TEXTS)
    report = run(store, encoder, [STATES, VECTORS], TEXTS[::3])
    assert report.completed == len(TEXTS[::3])
    for text, found in zip(TEXTS[::3], states(store, STATES, TEXTS[::3]), strict=True):
        assert found.tobytes() == encoder.states_of(text, READOUT).tobytes()


@pytest.mark.parametrize("codec", codec_names())
def test_every_codec_keeps_states_within_its_error(store, codec):
    encoder = FakeEncoder()
    column = f"fake/2/states@{codec}"
    run(store, encoder, [column], TEXTS)
    allowed = {"float32": 0, "float16": 1e-3, "int8": 0.1, "int4": 0.5, "binary": 3}[codec]
    for text, found in zip(TEXTS, states(store, column, TEXTS), strict=True):
        assert np.abs(found - encoder.states_of(text, READOUT)).max() <= allowed


@pytest.mark.parametrize("step", ["first3", "segments3"])
def test_limited_states_are_what_limiting_the_whole_gives(store, step):
    encoder = FakeEncoder()
    column = f"fake/2/states+{step}@float32"
    run(store, encoder, [column], TEXTS)
    for text, found in zip(TEXTS, states(store, column, TEXTS), strict=True):
        expected = limited(encoder.states_of(text, READOUT), [step])
        assert found.shape == (3, 16)
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("tokens", range(1, 20))
@pytest.mark.parametrize("most", [1, 2, 7, 30])
def test_segments_have_nearly_equal_lengths_and_keep_the_mean(tokens, most):
    marks = np.eye(tokens, dtype=np.float32)
    found = limited(marks, [f"segments{most}"])
    lengths = (found > 0).sum(axis=1)
    assert len(found) == min(tokens, most)
    assert lengths.sum() == tokens
    assert lengths.max() - lengths.min() <= 1
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)


def test_beyond_the_budget_texts_get_their_vectors_and_no_states(store):
    encoder = FakeEncoder()
    budget = 20 * 16 * 4 * 10
    report = run(store, encoder, [STATES, VECTORS], TEXTS, window=8, states_budget=budget)
    covered = store.reader(STATES).n_rows
    assert 0 < covered < len(TEXTS)
    assert (report.new, store.reader(VECTORS).n_rows) == (len(TEXTS), len(TEXTS))
    calls = encoder.calls
    again = run(store, encoder, [STATES, VECTORS], TEXTS, states_budget=budget)
    assert (again.known, again.completed, encoder.calls) == (len(TEXTS), 0, calls)
    more = run(store, encoder, [STATES, VECTORS], TEXTS)
    assert more.completed == len(TEXTS) - covered


def test_texts_whose_states_find_no_room_are_counted_whatever_else_they_have(store):
    encoder, budget = FakeEncoder(), 20 * 16 * 4 * 10
    first = run(store, encoder, [STATES, VECTORS], [block(TEXTS)], window=8, states_budget=budget)
    without = len(TEXTS) - store.reader(STATES).n_rows
    assert first.unkept == without > 0
    again = run(store, encoder, [STATES, VECTORS], [block(TEXTS)], states_budget=budget)
    assert (again.known, again.unkept) == (len(TEXTS), without)
    other = run(store, encoder, [STATES.replace("/2/", "/1/")], [block(TEXTS)], states_budget=budget)
    assert other.unkept == len(TEXTS)


def test_texts_that_lack_nothing_but_states_are_counted_when_there_is_no_room(store):
    encoder = FakeEncoder()
    report = run(store, encoder, [STATES], [block(TEXTS)], window=8, states_budget=20 * 16 * 4 * 10)
    assert report.unkept == len(TEXTS) - store.reader(STATES).n_rows > 0
    assert report.new == store.reader(STATES).n_rows


def test_an_encoder_that_fails_on_a_text_leaves_no_empty_block(store):
    encoder = FakeEncoder(failing={TEXTS[3]: "vectors", TEXTS[5]: "numbers"})
    report = run(store, encoder, [STATES, VECTORS], TEXTS)
    assert (report.n_faults, store.reader(STATES).n_rows) == (2, len(TEXTS) - 2)
    assert all(
        len(found) for found in states(store, STATES, [text for text in TEXTS if text not in (TEXTS[3], TEXTS[5])])
    )


def test_the_helper_for_tests_banks_states_as_well(store):
    encode_with(store, FakeEncoder(), [STATES], [block(TEXTS)])
    assert ColumnName.parse(STATES).is_states
    assert store.reader(STATES).n_rows == len(TEXTS)
