"""States of tails that are stored, computed, or neither; and trials that choose where to cut."""

import numpy as np
import pytest

import embank
from embank.errors import HeadError
from embank.fit.cut_trials import NEARLY
from material.tail_bank import (
    IDS,
    KEPT,
    PAIRS,
    TEXTS,
    labelled,
    reopened,
    rows,
)
from material.tails import (
    COLUMN,
    LINEAR,
    moods,
    options,
    same,
    settings,
    sizes,
    tags,
)

pytestmark = pytest.mark.usefixtures("one_thread")


# states that are gone, or never were


def test_without_banked_states_they_are_computed_from_kept_and_from_given_texts(fitted, made):
    _, everything, pairs = made
    assert fitted.forget_column(COLUMN) == []  # a tail needs no new fit
    with reopened(fitted) as again:
        assert {task.stale for task in again.tasks()} == {""}
        # Not rounded to float16 as banked ones are: the same labels, and nearly the same numbers.
        for found, right in ((again.predict(proba=True), everything), (again.predict(PAIRS[:20]), pairs)):
            table = found.to_pydict()
            np.testing.assert_allclose(table["size"], right["size"], atol=0.2)  # they go from 2 to 14
            same({**table, "size": right["size"]}, right, atol=0.02)
        assert rows(again, COLUMN) is None


def test_where_states_can_be_had_nowhere_there_is_null(bank):
    bank.fit("plain", moods(TEXTS), texts=TEXTS)
    bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings())
    bank.fit("words", tags(TEXTS[:30]), texts=TEXTS[:30], settings=settings("tagging"))  # which keeps these thirty
    before = bank.predict(TEXTS[:6]).to_pydict()
    bank.forget_column(COLUMN)
    with reopened(bank) as again:
        everything = again.predict().to_pydict()
        for name in ("mood", "words", "mood_score"):
            assert [one is None for one in everything[name]] == [False] * 30 + [True] * (len(everything[name]) - 30)
        assert set(everything["plain"]) == {"good", "bad"}
        same(again.predict(TEXTS[:6]).to_pydict(), before)


def test_texts_with_and_without_states_keep_their_own_answers(tmp_path, folder):
    with embank.Bank.create(tmp_path / "half", options()) as bank:
        bank.encode(TEXTS[:30], ids=IDS[:30], columns=[LINEAR], encoder=str(folder))
        bank.encode(TEXTS[30:60], ids=IDS[30:60], columns=[LINEAR, COLUMN])
        bank.encode(TEXTS[60:], ids=IDS[60:], columns=[LINEAR])
        bank.fit("size", sizes(TEXTS[30:60]), ids=IDS[30:60], settings=settings(epochs=4))
        found = bank.predict().to_pydict()["size"]
        given = bank.predict(TEXTS[30:60]).to_pydict()["size"]
        assert found[:30] == [None] * 30
        assert found[60:] == [None] * 12
        np.testing.assert_allclose(found[30:60], given, atol=1e-3)
        assert np.std(given) > 0.1


def test_a_fit_of_tags_keeps_the_words_that_it_needs_and_a_tagger_says_nothing_of_texts_that_are_not_kept(bank):
    bank.fit("words", tags(TEXTS[:30]), texts=TEXTS[:30], settings=settings("tagging"))
    bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings())
    everything = bank.predict().to_pydict()
    assert [found is None for found in everything["words"]] == [False] * 30 + [True] * (len(everything["words"]) - 30)
    assert None not in everything["mood"]
    assert None not in bank.predict(TEXTS).to_pydict()["words"]


def test_a_bank_whose_last_column_is_forgotten_still_knows_the_encoder_of_its_tails(tmp_path, folder):
    with embank.Bank.create(tmp_path / "bank", options(run=KEPT)) as bank:
        bank.encode(TEXTS, ids=IDS, columns=[COLUMN], encoder=str(folder))
        bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings())
        before = bank.predict().to_pydict()
        bank.forget_column(COLUMN)
        with reopened(bank) as again:
            same(again.predict().to_pydict(), before)
            again.encode_kept([COLUMN])
            same(again.predict().to_pydict(), before)


def test_an_encoder_that_no_column_and_no_tail_needs_is_forgotten_with_its_last_column(bank):
    for column in (COLUMN, LINEAR):
        bank.forget_column(column)
    assert bank.summary().encoders == ()


def test_states_beyond_the_budget_are_computed_and_change_no_prediction(tmp_path, folder, bank):
    asked = settings(epochs=4)
    bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=asked)
    right = bank.predict(TEXTS).to_pydict()
    tight = embank.EncodeSettings(states_budget=4000, window=8, keep_text=True)
    with embank.Bank.create(tmp_path / "tight", options(run=tight)) as small:
        small.encode(TEXTS, ids=IDS, columns=[COLUMN, LINEAR], encoder=str(folder))
        banked = rows(small, COLUMN)
        assert 0 < banked < rows(small, LINEAR) == len(TEXTS)
        report = small.fit("mood", moods(TEXTS), ids=IDS, settings=asked)
        assert report.chosen["states read"] * (len(TEXTS) - banked) == report.chosen["states computed"] * banked
        same(small.predict(TEXTS).to_pydict(), right, atol=0.02)
        same({**small.predict().to_pydict(), "id": right["id"]}, right, atol=0.02)
        assert rows(small, COLUMN) == banked


def test_texts_that_are_neither_banked_nor_kept_nor_given_cannot_be_trained_on(tmp_path, folder):
    tight = embank.EncodeSettings(states_budget=4000, window=8)
    with embank.Bank.create(tmp_path / "tight", options(run=tight)) as small:
        small.encode(TEXTS, ids=IDS, columns=[COLUMN, LINEAR], encoder=str(folder))
        lost = len(TEXTS) - rows(small, COLUMN)
        with pytest.raises(HeadError, match=f"{lost} texts have no states in {COLUMN}.* encode once more with --keep"):
            small.fit("mood", moods(TEXTS), ids=IDS, settings=settings())
        small.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings())
        assert small.predict().to_pydict()["mood"].count(None) == lost
        assert None not in small.predict(TEXTS).to_pydict()["mood"]


# trials


def test_trials_choose_one_of_the_cuts_and_say_how_each_did(bank):
    asked = settings(columns=(), tail={"trials": True})
    report = bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=asked)
    trials = {at: report.tried[f"one-layer tail at layer {at}"] for at in (1, 2, 3)}
    chosen = int(report.chosen["cut"].split()[0])
    assert trials[chosen] > max(trials.values()) - NEARLY
    assert all(trials[later] <= max(trials.values()) - NEARLY for later in trials if later > chosen)
    assert report.columns == (f"tiny/{chosen}/states@float16",)
    assert set(report.tried) == {*(f"one-layer tail at layer {at}" for at in (1, 2, 3)), "pass 1", "pass 2"}
    states = {one.name for one in bank.summary().columns} - {LINEAR}
    assert states == {COLUMN, report.columns[0]}  # the states of trials are kept nowhere
    again = bank.refit("mood")
    assert again.columns == report.columns


@pytest.mark.parametrize("kind", ["tagging", "span"])
def test_trials_serve_kinds_that_read_tokens(bank, kind):
    labels, texts = labelled(kind, 40)
    report = bank.fit("task", labels, texts=texts, settings=settings(kind, columns=(), tail={"trials": True}))
    assert sum(name.startswith("one-layer") for name in report.tried) == 3


def test_trials_need_texts_themselves(bank, fitted):
    asked = settings(columns=(), tail={"trials": True})
    with pytest.raises(HeadError, match=r"72 of the labelled texts are not kept in the bank, and trials of cuts need"):
        bank.fit("mood", moods(TEXTS), ids=IDS, settings=asked)
    fitted.fit("mood", moods(TEXTS), ids=IDS, settings=asked)
