"""On its way to a prediction a text is hashed once, looked up once, and a column's calibration is read once."""

from collections import Counter

import pytest

import embank
from embank import texts as hashing
from embank.encode import finished
from embank.store.catalogue import Catalogue
from embank.store.folder import Store
from material.tails import LINEAR, moods, options, save_tiny, texts_of

TEXTS, NEW = texts_of(40), texts_of(9, 700)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def bank(tmp_path):
    folder = save_tiny(tmp_path / "tiny")
    with embank.Bank.create(tmp_path / "bank", options()) as opened:
        opened.encode(TEXTS, columns=[LINEAR, "tiny/4/mean@int8"], encoder=str(folder))
        opened.fit("mood", moods(TEXTS), texts=TEXTS, settings=embank.FitSettings(columns=(LINEAR,)))
        yield opened


@pytest.fixture
def counted(bank, monkeypatch):
    """How often each text was hashed and each key looked up, from now on, and each calibration read."""
    hashes, lookups, calibrations = Counter(), Counter(), Counter()
    hash_all, look_up, read = hashing.keys_and_faults, Catalogue.lookup, finished.codec_of

    def hash_texts(texts):
        hashes.update(texts)
        return hash_all(texts)

    def look_up_keys(catalogue, keys):
        lookups.update(keys)
        return look_up(catalogue, keys)

    def read_calibration(store, column):
        calibrations[column.name] += 1
        return read(store, column)

    monkeypatch.setattr(hashing, "keys_and_faults", hash_texts)
    monkeypatch.setattr(Catalogue, "lookup", look_up_keys)
    monkeypatch.setattr(finished, "codec_of", read_calibration)
    return hashes, lookups, calibrations


def test_texts_that_the_bank_has_are_hashed_and_looked_up_once(bank, counted):
    assert bank.predict(TEXTS[:20]).num_rows == 20
    hashes, lookups, calibrations = counted
    assert set(hashes.values()) == set(lookups.values()) == {1}
    assert len(hashes) == len(lookups) == 20
    assert not calibrations


def test_new_texts_are_hashed_and_looked_up_once_on_their_way_through_the_encoder(bank, counted):
    found = bank.predict([*TEXTS[:5], *NEW, NEW[0]])
    hashes, lookups, calibrations = counted
    assert None not in found["mood"].to_pylist()
    assert hashes == Counter([*TEXTS[:5], *NEW, NEW[0]])
    assert set(lookups.values()) == {1, 2}
    assert sum(lookups.values()) == 15, "a text that stands in two rows is asked for in both"
    assert set(calibrations.values()) == {1}
    assert bank.encode(NEW).new == 0


def test_texts_that_somebody_else_adds_in_between_are_looked_up_again_and_banked_once(bank, monkeypatch):
    look_up, others = Catalogue.lookup, []

    def meddled(catalogue, keys):
        found = look_up(catalogue, keys)
        if not others:
            others.append(True)
            with embank.Bank.open(bank.path, bank.session.options) as other:
                other.encode(NEW)
        return found

    monkeypatch.setattr(Catalogue, "lookup", meddled)
    assert None not in bank.predict(NEW)["mood"].to_pylist()
    assert len(bank) == len(TEXTS) + len(NEW)
    with Store(bank.path) as store:
        assert store.reader(LINEAR).n_rows == len(bank)
