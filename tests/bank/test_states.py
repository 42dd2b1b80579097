"""States are stored where reading them from the disk beats computing them again, if that is left to measurement."""

import pytest

import embank
from embank.encode.states_cost import Verdict
from embank.session import Session
from material.tails import options, save_tiny, texts_of

TEXTS = texts_of(12)
STATES = "tiny/2/states@float16"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(params=[2.0, 0.5], ids=["reading is faster", "computing is faster"])
def verdict(request, monkeypatch):
    found = Verdict(column=STATES, read=request.param, recompute=1.0, text_bytes=1.0, bandwidth=1.0)
    monkeypatch.setattr(Session, "weigh_states", lambda *_: found)
    return found


def test_auto_stores_states_where_reading_them_is_faster(tmp_path, folder, verdict):
    seen = []
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS, encoder=str(folder), states="auto", weighed=seen.append)
        names = [column.name for column in bank.summary().columns]
    assert (STATES in names) == verdict.banks
    assert any("states" not in name for name in names)
    assert seen == [verdict]


def test_auto_leaves_out_columns_of_states_that_the_bank_has(tmp_path, folder, verdict):
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS[:6], columns=["tiny/4/mean", STATES], encoder=str(folder))
        bank.encode(TEXTS, states="auto")
        rows = {column.name: column.rows for column in bank.summary().columns}
    assert rows[STATES] == (len(TEXTS) if verdict.banks else 6)


def test_a_number_stores_the_states_of_that_layer_whatever_is_faster(tmp_path, folder, verdict):
    seen = []
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS, encoder=str(folder), states=2, weighed=seen.append)
        assert STATES in [column.name for column in bank.summary().columns]
        bank.encode(TEXTS[:3], states=2)
    assert seen == [verdict]  # measured only if somebody looks
