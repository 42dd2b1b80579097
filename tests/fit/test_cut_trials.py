"""Trials of cuts: states of several layers out of one pass, one-layer tails on each, and the choice among them."""

import numpy as np
import pytest

import embank
from embank.encoders.load import locate, open_encoder
from embank.fit import Examples, cut_trials
from embank.fit.cut_trials import NEARLY, CutTrials, MemorySource, best_cut, sampled, states_at
from embank.models.tail_settings import TailDesign, cuts_of
from embank.store.folder import Store
from embank.store.states import StatesReader
from embank.store.vectors import codec_of
from embank.training.objectives import PooledObjective
from material.tails import LAYERS, WIDTH, moods, options, save_tiny, texts_of

TEXTS = texts_of(40)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture
def encoder(folder, tmp_path):
    return open_encoder(locate(str(folder)), "torch", "float32", tmp_path)


@pytest.mark.parametrize("layers", range(2, 49))
def test_cuts_are_layers_with_something_below_and_above(layers):
    cuts = cuts_of(layers)
    assert 1 <= len(cuts) <= 3
    assert list(cuts) == sorted(set(cuts))
    assert 0 < cuts[0] <= cuts[-1] < layers


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ({1: 0.5, 2: 0.7, 3: 0.6}, 2),
        ({1: 0.7, 2: 0.7, 3: 0.6}, 2),
        ({1: 0.7, 2: 0.7 - NEARLY / 2, 3: 0.6}, 2),
        ({1: 0.7, 2: 0.7 - 2 * NEARLY, 3: 0.6}, 1),
        ({1: 0.5, 2: 0.5, 3: 0.5}, 3),
        ({1: -0.5, 2: -0.1, 3: -2.0}, 2),
        ({4: 0.1}, 4),
    ],
)
def test_the_best_cut_is_the_latest_of_those_that_are_nearly_best(scores, best):
    assert best_cut(scores) == best


def test_a_trial_has_a_sample_of_each_part_and_the_same_one_every_time():
    held = [number % 5 == 0 for number in range(2000)]
    examples = Examples(np.arange(2000) * 3, None, list(range(2000)), held)
    found = sampled(examples)
    assert (len(found.texts), sum(found.held_back)) == (720, 240)
    assert all(number == 3 * value for number, value in zip(found.texts.tolist(), found.values, strict=True))
    assert [held[value] for value in found.values] == list(found.held_back)
    assert found.values == sampled(examples).values
    assert max(found.values) > 1900  # not the first ones: a user's table may be sorted
    few = Examples(np.arange(10), None, list(range(10)), held[:10])
    assert few.values == sampled(few).values


def test_states_for_trials_are_those_that_a_bank_would_keep(tmp_path, folder, encoder):
    columns = [f"tiny/{layer}/states@float32" for layer in range(LAYERS + 1)]
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS, columns=columns, encoder=str(folder))
    found = states_at(encoder, TEXTS, range(LAYERS + 1))
    with Store(tmp_path / "bank") as store:
        for layer, name in enumerate(columns):
            stored = StatesReader(store.reader(name)).gather(np.arange(len(TEXTS)))
            codec = codec_of(store, store.column(name))
            for text, banked, own in zip(TEXTS, stored.blocks(), found[layer], strict=True):
                assert own.shape == (len(banked), WIDTH), text
                np.testing.assert_allclose(own, codec.decode(banked), atol=1e-5)


def test_every_trial_is_a_tail_of_one_layer_on_states_of_its_own_cut(encoder, folder, tmp_path, monkeypatch):
    cuts = cuts_of(LAYERS)
    found = states_at(encoder, TEXTS, cuts)
    built, read = [], []
    build, blocks = cut_trials.build_tail, MemorySource.blocks

    def watched(model, layers, design, seed):
        built.append((design.cut, design.layers))
        return build(model, layers, design, seed)

    def reading(self, texts):
        given = blocks(self, texts)
        (own,) = [cut for cut in cuts if given[0] is found[cut][int(texts[0])]]
        read.append((built[-1][0], own))
        return given

    monkeypatch.setattr(cut_trials, "build_tail", watched)
    monkeypatch.setattr(MemorySource, "blocks", reading)
    held = np.arange(len(TEXTS)) % 5 == 0
    y = np.array(moods(TEXTS))
    train, held_back = np.flatnonzero(~held), np.flatnonzero(held)
    trials = CutTrials(
        upper=lambda: open_encoder(locate(str(folder)), "torch", "float32", tmp_path),
        objective=PooledObjective(kind="single", y=y, labels=("bad", "good"), train=train),
        train=train,
        held_back=held_back,
        design=TailDesign(cut=1, method="full", kind="single", outputs=2, layers=1),
        training=embank.TrainingSettings(batch=8, rate=5e-3),
    )
    scores = {cut: trials.score(cut, found[cut]) for cut in cuts}
    assert built == [(1, 1), (2, 1), (3, 1)]
    assert set(read) == {(1, 1), (2, 2), (3, 3)}
    assert set(scores) == set(cuts)
    assert all(0 <= score <= 1 for score in scores.values())
