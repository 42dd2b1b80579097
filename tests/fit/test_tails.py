"""Tails in a bank: every kind fitted on banked states, served beside linear heads, with and without states to read."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

import embank
from embank.encode.state_loader import StateSource
from embank.errors import EncoderChangedError, EncoderError, HeadError, UsageError
from embank.fit.cut_trials import NEARLY
from embank.labels.kinds import KINDS
from embank.models.tail_design import METHODS
from material.tails import (
    COLUMN,
    LAYERS,
    LINEAR,
    moods,
    options,
    questions,
    same,
    save_tiny,
    settings,
    sizes,
    tags,
    texts_of,
    topics,
)

TEXTS = texts_of(72)
IDS = [f"t{number}" for number in range(len(TEXTS))]
PAIRS, ANSWERS = questions(TEXTS)
TASKS = {"mood": "single", "topics": "multi", "size": "regression", "words": "tagging", "where": "span"}
KEPT = embank.EncodeSettings(keep_text=True)


pytestmark = pytest.mark.usefixtures("one_thread")


def labelled(kind, count=72):
    """Labels of a kind, and the texts that they belong to."""
    texts = TEXTS[:count]
    if kind == "span":
        return ANSWERS[:count], PAIRS[:count]
    return {"single": moods, "multi": topics, "regression": sizes, "tagging": tags}[kind](texts), texts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def encoded(tmp_path_factory, folder):
    """A bank of texts with states and vectors, without tasks."""
    path = tmp_path_factory.mktemp("encoded") / "bank"
    with embank.Bank.create(path, options()) as bank:
        bank.encode(TEXTS, ids=IDS, columns=[COLUMN, LINEAR], encoder=str(folder))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory, folder):
    """A bank that keeps its texts, with a tail of every kind and a linear head; and what it predicted when made."""
    path = tmp_path_factory.mktemp("made") / "bank"
    with embank.Bank.create(path, options(run=KEPT)) as bank:
        bank.encode(TEXTS, ids=IDS, columns=[COLUMN, LINEAR], encoder=str(folder))
        bank.fit("plain", moods(TEXTS), texts=TEXTS)
        for task, kind in TASKS.items():
            labels, texts = labelled(kind)
            bank.fit(task, labels, texts=texts, settings=settings(kind, epochs=8))
        return path, bank.predict(proba=True).to_pydict(), bank.predict(PAIRS[:20]).to_pydict()


@pytest.fixture
def copy(tmp_path):
    """Gives a copy of a bank, open; closed in the end."""
    opened = []

    def give(path, **given):
        target = tmp_path / f"bank{len(opened)}"
        shutil.copytree(path, target)
        opened.append(embank.Bank.open(target, options(**given)))
        return opened[-1]

    yield give
    for bank in opened:
        bank.close()


@pytest.fixture
def bank(copy, encoded):
    return copy(encoded)


@pytest.fixture
def fitted(copy, made):
    return copy(made[0])


def reopened(bank, **given):
    bank.close()
    return embank.Bank.open(bank.path, options(**given))


def rows(bank, column):
    return {one.name: one.rows for one in bank.summary().columns}.get(column)


def weights(bank, task="mood"):
    """The files of a task's weights."""
    (found,) = (bank.path / "tasks").glob(f"{task}*/tail.safetensors")
    return load_file(found)


def equal(one, other):
    assert one.keys() == other.keys()
    return all(np.array_equal(array, other[name]) for name, array in one.items())


# fitting and predicting


def test_every_kind_is_learned(fitted):
    for task in fitted.tasks():
        assert task.score > task.baseline + 0.3, task
        assert task.stale == ""
    assert {task.name: task.kind for task in fitted.tasks()} == {"plain": "single", **TASKS}
    assert {task.columns for task in fitted.tasks() if task.name != "plain"} == {(COLUMN,)}


def test_predictions_say_what_the_labels_said(fitted):
    found = fitted.predict(TEXTS, tasks=["mood", "topics", "size", "words"]).to_pydict()
    assert np.mean(np.array(found["mood"]) == moods(TEXTS)) > 0.9
    assert np.abs(np.array(found["size"]) - sizes(TEXTS)).mean() < 2  # they go from 2 to 14
    assert np.mean([set(one) == set(right) for one, right in zip(found["topics"], topics(TEXTS), strict=True)]) > 0.6
    assert np.mean([one == right for one, right in zip(found["words"], tags(TEXTS), strict=True)]) > 0.9
    assert all(len(tagged) == len(text.split()) for tagged, text in zip(found["words_score"], TEXTS, strict=True))
    answers = fitted.predict(PAIRS, tasks=["where"]).to_pydict()
    assert np.mean(np.array(answers["where"]) == ANSWERS) > 0.9
    assert all(0 < score <= 1 for score in answers["where_score"])


def test_heads_and_tails_answer_in_one_table(fitted):
    table = fitted.predict(TEXTS[:3])
    assert table.column_names == [
        "id",
        *(name for task in ("plain", *sorted(TASKS)) for name in (task, f"{task}_score")),
    ]
    assert fitted.predict(TEXTS[:3], tasks=["size", "plain"]).column_names == [
        "id", "plain", "plain_score", "size", "size_score",
    ]  # fmt: skip


def test_predictions_after_reopening_are_those_from_before(fitted, made):
    _, everything, pairs = made
    same(fitted.predict(proba=True).to_pydict(), everything, atol=1e-6)
    same(fitted.predict(PAIRS[:20]).to_pydict(), pairs, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_serves_every_kind_also_after_reopening(bank, method, kind):
    if method == "lora":
        pytest.importorskip("peft")
    labels, texts = labelled(kind, 32)
    asked = settings(kind, epochs=1, tail={"method": method, "rank": 2, "width": 8})
    report = bank.fit("task", labels, texts=texts, settings=asked)
    assert report.chosen["head"] == f"tail ({method})"
    assert (report.kind, report.examples, report.columns) == (kind, 32, (COLUMN,))
    assert set(report.tried) == {"pass 1"}
    before = bank.predict(texts[:5], tasks=["task"], proba=True).to_pydict()
    assert None not in before["task"]
    with reopened(bank) as again:
        same(again.predict(texts[:5], tasks=["task"], proba=True).to_pydict(), before, atol=1e-6)
        assert again.verify() == []


def test_the_whole_bank_says_of_a_text_what_is_said_when_it_is_given(fitted):
    everything = fitted.predict(proba=True).to_pydict()
    assert everything["id"][:72] == IDS
    assert len(everything["id"]) == len(fitted) == 2 * len(TEXTS)  # the pairs have no ids: they are called by hash
    some = fitted.predict(TEXTS[40:60], proba=True).to_pydict()
    same({**some, "id": IDS[40:60]}, {name: values[40:60] for name, values in everything.items()})


def test_a_text_alone_gets_what_it_gets_among_others(fitted):
    texts = [*TEXTS[:12], *texts_of(3, 500)]
    assert len({len(text.split()) for text in texts}) > 3
    together = fitted.predict(texts, proba=True).to_pydict()
    for at, text in enumerate(texts):
        alone = fitted.predict([text], proba=True).to_pydict()
        same({**alone, "id": [at]}, {name: values[at : at + 1] for name, values in together.items()})


def test_a_row_comes_for_every_row_given_in_its_order_and_bad_ones_are_null(fitted):
    table = fitted.predict([TEXTS[7], None, TEXTS[0], "", 3, TEXTS[7], "\ud800"]).to_pydict()
    assert table["id"] == list(range(7))
    for task in TASKS:
        assert [value is None for value in table[task]] == [False, True, False, True, True, False, True]
        assert table[task][0] == table[task][5]
        assert table[f"{task}_score"][1] is None
    assert len(table["words"][0]) == len(TEXTS[7].split())
    assert len(table["words"][2]) == len(TEXTS[0].split())


def test_new_texts_are_banked_with_their_states(fitted):
    new = texts_of(5, 300)
    before = rows(fitted, COLUMN)
    first = fitted.predict([*new, TEXTS[0]]).to_pydict()
    assert rows(fitted, COLUMN) == before + 5
    assert fitted.verify() == []
    with reopened(fitted) as again:
        same(again.predict([*new, TEXTS[0]]).to_pydict(), first)
        assert rows(again, COLUMN) == before + 5


def test_probabilities_of_classes_sum_to_one_and_agree_with_the_score(fitted):
    table = fitted.predict(TEXTS, proba=True).to_pydict()
    names = [name for name in table if "_proba_" in name and not name.startswith("plain")]
    assert names == ["mood_proba_bad", "mood_proba_good", "topics_proba_city", "topics_proba_good"]
    for at in range(len(TEXTS)):
        assert table["mood_proba_bad"][at] + table["mood_proba_good"][at] == pytest.approx(1, abs=1e-5)
        assert table["mood_score"][at] == pytest.approx(table[f"mood_proba_{table['mood'][at]}"][at], abs=1e-5)
        scores = [table[f"topics_proba_{name}"][at] for name in table["topics"][at]]
        assert scores == pytest.approx(table["topics_score"][at], abs=1e-5)


def test_all_tails_on_one_column_share_one_read_of_its_states(fitted, monkeypatch):
    read = []
    blocks = StateSource.blocks
    monkeypatch.setattr(
        StateSource, "blocks", lambda self, texts: (read.extend(texts.tolist()), blocks(self, texts))[1]
    )
    fitted.predict()
    assert sorted(read) == list(range(len(fitted)))


def test_the_same_seed_gives_the_same_weights_and_another_does_not(bank):
    found = []
    for seed in (0, 0, 1):
        bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings(seed=seed))
        found.append(weights(bank))
    assert equal(found[0], found[1])
    assert not equal(found[0], found[2])


def test_a_fit_that_was_interrupted_goes_on_and_ends_as_if_it_had_not_been(bank):
    asked = settings(epochs=3)
    bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=asked)
    right = weights(bank)
    bank.forget_task("mood")
    steps = []

    def stop(now):
        steps.append(now.step)
        if now.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=asked, train_watch=stop)
    assert bank.tasks() == []
    assert bank.verify() == []
    with reopened(bank) as again:
        told = []
        again.fit("mood", moods(TEXTS), texts=TEXTS, settings=asked, train_watch=told.append)
        assert [now.step for now in told] == list(range(steps[-1], told[-1].steps + 1))
        assert equal(weights(again), right)
        assert list((again.path / "training").iterdir()) == []


def test_other_labels_do_not_go_on_from_an_interrupted_fit(bank):
    def stop(now):
        if now.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings(), train_watch=stop)
    turned = ["bad" if mood == "good" else "good" for mood in moods(TEXTS)]
    told = []
    bank.fit("mood", turned, texts=TEXTS, settings=settings(), train_watch=told.append)
    assert told[0].step == 1


# what users give


def test_labelled_rows_are_found_by_id_and_unknown_ones_are_counted(bank):
    report = bank.fit("mood", moods(TEXTS), ids=[*IDS[:60], *["nobody"] * 12], settings=settings())
    assert (report.examples, report.skipped) == (60, {"text not in the bank": 12})


def test_rows_without_label_or_text_are_counted_and_left_out(bank):
    labels = [None, "", *moods(TEXTS)[2:]]
    texts = [*TEXTS[:70], None, ""]
    report = bank.fit("mood", labels, texts=texts, settings=settings())
    assert (report.examples, report.skipped) == (68, {"no label": 2, "text not in the bank": 2})


@pytest.mark.parametrize("form", [list, np.array])
def test_a_tagger_takes_lists_of_words(bank, form):
    words = [form(text.split()) for text in TEXTS]
    bank.fit("words", tags(TEXTS), texts=words, settings=settings("tagging"))
    first = weights(bank, "words")
    bank.fit("words", tags(TEXTS), texts=TEXTS, settings=settings("tagging"))
    assert equal(first, weights(bank, "words"))
    assert len(bank) == len(TEXTS)


def test_lists_without_words_are_left_out_of_a_tagger(bank):
    words = [[], [None], *(text.split() for text in TEXTS[2:])]
    report = bank.fit("words", tags(TEXTS), texts=words, settings=settings("tagging"))
    assert (report.examples, report.skipped) == (70, {"text not in the bank": 2})


def test_a_span_takes_pairs_as_tuples_or_lists(bank):
    report = bank.fit("where", ANSWERS, texts=[list(pair) for pair in PAIRS], settings=settings("span", epochs=4))
    assert report.validation["f1"] > report.baseline["f1"] + 0.3
    assert bank.predict(PAIRS[:2], tasks=["where"]).to_pydict()["where"] == ANSWERS[:2]


def test_a_tail_of_one_label_a_pair_reads_pairs(bank):
    labels = ["pump" if "pump" in question else "lost" for question, _ in PAIRS]
    report = bank.fit("asked", labels, texts=PAIRS, settings=settings(epochs=6))
    assert report.validation["accuracy"] > 0.9
    assert bank.predict(PAIRS[:2]).to_pydict()["asked"] == labels[:2]


def test_lists_of_strings_are_no_texts_of_other_kinds(bank):
    """They might be words, or a question and its context: nobody can know."""
    with pytest.raises(HeadError, match=r"0 labelled texts are too few .*72 text not in the bank"):
        bank.fit("mood", moods(TEXTS), texts=[text.split() for text in TEXTS], settings=settings())


def test_limited_states_serve_a_pooled_kind(bank):
    column = "tiny/1/states+first4@float16"
    report = bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings(columns=(column,)))
    assert report.columns == (column,)
    assert rows(bank, column) == len(TEXTS)
    new = texts_of(4, 200)
    first = bank.predict([*new, *TEXTS[:4]]).to_pydict()
    assert None not in first["mood"]
    bank.forget_column(column)
    with reopened(bank) as again:
        same(again.predict([*new, *TEXTS[:4]]).to_pydict(), first)  # computed, and limited in the same way


def test_a_column_of_states_that_the_bank_lacks_is_filled_for_the_labelled_texts(bank):
    report = bank.fit("mood", moods(TEXTS[:40]), texts=TEXTS[:40], settings=settings(columns=(), tail={"cut": 3}))
    assert report.columns == ("tiny/3/states@float16",)
    assert report.chosen["cut"] == "3 of 4 layers"
    assert rows(bank, "tiny/3/states@float16") == 40
    bank.fit("other", moods(TEXTS[:40]), texts=TEXTS[:40], settings=settings(columns=(), tail={"cut": LAYERS}))
    found = bank.predict(TEXTS[40:42]).to_pydict()
    assert None not in found["mood"] + found["other"]


def test_of_several_columns_of_states_the_fullest_is_read_then_the_highest_then_the_finest(tmp_path, folder):
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS[:40], columns=["tiny/1/states@float16", "tiny/2/states@float16"], encoder=str(folder))
        bank.encode(TEXTS[:40], columns=["tiny/2/states@int4", "tiny/2/states+first8@float16"])
        bank.encode(TEXTS[:4], columns=["tiny/3/states@float32"])
        report = bank.fit("mood", moods(TEXTS[:40]), texts=TEXTS[:40], settings=settings(columns=()))
    assert report.columns == ("tiny/2/states@float16",)


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


# fitting again, forgetting


def test_a_refit_gives_the_same_tail(fitted):
    before, right = fitted.predict(TEXTS).to_pydict(), weights(fitted)
    known = {task.name: task for task in fitted.tasks()}
    for task in ("mood", "words", "where"):
        report = fitted.refit(task)
        assert (report.kind, report.examples) == (TASKS[task], len(TEXTS))
        assert report.validation[report.measure] == known[task].score
    assert equal(weights(fitted), right)
    same(fitted.predict(TEXTS).to_pydict(), before, atol=1e-6)


def test_a_refit_leaves_out_texts_that_were_forgotten(fitted):
    assert fitted.forget_ids([*IDS[:10], "nobody"]) == (10, ["nobody"])
    for task in ("mood", "words"):
        report = fitted.refit(task)
        assert (report.examples, report.skipped) == (62, {"text not in the bank": 10})
    assert len(fitted.predict(tasks=["mood"])) == 2 * len(TEXTS) - 10
    fitted.forget_ids(IDS)
    with pytest.raises(HeadError, match="too few of its texts are left in the bank to fit it again"):
        fitted.refit("mood")


def test_forgetting_a_tail_leaves_the_others_as_they_were(fitted):
    before = fitted.predict(TEXTS).to_pydict()
    fitted.forget_task("topics")
    del before["topics"], before["topics_score"]
    same(fitted.predict(TEXTS).to_pydict(), before, atol=1e-6)
    assert not list((fitted.path / "tasks").glob("topics*"))
    assert fitted.verify() == []


def test_a_head_takes_the_place_of_a_tail_and_a_tail_that_of_a_head(fitted):
    fitted.fit("mood", moods(TEXTS), texts=TEXTS)
    fitted.fit("plain", moods(TEXTS), texts=TEXTS, settings=settings())
    by_name = {task.name: task for task in fitted.tasks()}
    assert (by_name["mood"].columns, by_name["plain"].columns) == ((LINEAR,), (COLUMN,))
    assert None not in fitted.predict(tasks=["mood", "plain"]).to_pydict()["plain"]
    assert fitted.verify() == []


def test_states_that_are_others_now_need_a_refit(bank):
    column = "tiny/2/states@int8"
    bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings(columns=(column,)))
    bank.forget_column(column)
    bank.encode(["fine" * 3, *texts_of(30, 800)], columns=[column])  # calibrated on other texts
    with pytest.raises(HeadError, match=f"'mood' was fitted on another {column}.* --refit --task mood"):
        bank.predict()
    assert {task.stale for task in bank.tasks()} == {f"{column} has changed"}
    bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings(columns=(column,)))
    assert None not in bank.predict(TEXTS).to_pydict()["mood"]


# encoders and files that are not what they were


def test_an_encoder_whose_weights_have_changed_is_refused(tmp_path, bank):
    folder = save_tiny(tmp_path / "tiny")
    bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings())
    for column in (None, COLUMN, LINEAR):
        if column is not None:
            bank.forget_column(column)
        with reopened(bank, places=(f"tiny={folder}",)) as moved:
            assert None not in moved.predict(TEXTS[:2]).to_pydict()["mood"]
        bank = embank.Bank.open(bank.path, options())
    save_tiny(folder, seed=8)
    with (
        reopened(bank, places=(f"tiny={folder}",)) as moved,
        pytest.raises(EncoderChangedError, match="has changed since this bank was encoded with it as 'tiny'"),
    ):
        moved.predict(TEXTS[:2])


def test_an_encoder_that_is_not_there_any_more_is_named(tmp_path):
    folder = save_tiny(tmp_path / "tiny")
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS, columns=[COLUMN, LINEAR], encoder=str(folder))
        bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings())
        bank.fit("plain", moods(TEXTS), texts=TEXTS)
    shutil.rmtree(folder)
    with embank.Bank.open(tmp_path / "bank", options()) as bank:
        with pytest.raises(EncoderError, match=f"{folder}"):
            bank.predict(tasks=["mood"])
        assert None not in bank.predict(tasks=["plain"]).to_pydict()["plain"]


@pytest.mark.parametrize("name", ["tail.json", "tail.safetensors"])
def test_a_damaged_tail_is_found_and_named(fitted, name):
    (file,) = (fitted.path / "tasks").glob(f"mood*/{name}")
    file.write_bytes(file.read_bytes()[:-20])
    assert any(name in damage.where for damage in fitted.verify())
    with pytest.raises(HeadError, match=r"found a damaged tail in .*; fit the task again"):
        fitted.predict(tasks=["mood"])
    fitted.refit("mood")
    assert fitted.verify() == []
    assert None not in fitted.predict(TEXTS, tasks=["mood"]).to_pydict()["mood"]


def test_a_tail_of_a_newer_format_is_refused(fitted):
    (file,) = (fitted.path / "tasks").glob("mood*/tail.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "format_version": 99}))
    with pytest.raises(HeadError, match=r"format version 99 .* expected at most 1; install a newer embank"):
        fitted.predict(tasks=["mood"])


def test_a_family_that_cannot_be_cut_is_refused_before_anything_is_encoded(tmp_path):
    folder = save_tiny(tmp_path / "fn", "fnet")
    with embank.Bank.create(tmp_path / "bank", options()) as bank:
        bank.encode(TEXTS, columns=["fn/2/mean"], encoder=str(folder))
        for asked in (
            settings(columns=()),
            settings(columns=("fn/1/states",)),
            settings(columns=(), tail={"cut": 1}),
            settings(columns=(), tail={"trials": True}),
        ):
            with pytest.raises(UsageError, match=r"family \(fnet\) that cannot be cut at a layer; its pooled vectors"):
                bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=asked)
        assert [one.name for one in bank.summary().columns] == ["fn/2/mean@float16"]


def test_an_encoder_that_reads_in_windows_has_no_states(tmp_path, folder):
    windows = options(reading=embank.ReadingOptions(long="windows", max_tokens=12))
    with embank.Bank.create(tmp_path / "bank", windows) as bank:
        bank.encode(TEXTS, columns=[LINEAR], encoder=str(folder))
        for columns in ((), (COLUMN,)):
            with pytest.raises(UsageError, match="reads long ones in windows; give it another name with --long cut"):
                bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=settings(columns=columns))


# refusals


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        (settings(columns=(LINEAR,)), UsageError, f"reads one column of states, such as .*, not {LINEAR}"),
        (settings(columns=(COLUMN, "tiny/1/states")), UsageError, "reads one column of states"),
        (settings(tail={"cut": 1}), UsageError, f"{COLUMN} has the states of layer 2, and the cut is 1"),
        (settings(columns=(), tail={"cut": 9}), UsageError, "asks for layer 9; tiny has layers 0 to 4"),
        (settings(columns=("tiny/9/states",)), UsageError, "asks for layer 9; tiny has layers 0 to 4"),
        (settings(tail={"trials": True}), UsageError, "chooses where to cut: leave out --cut and --columns"),
        (settings(columns=(), tail={"trials": True, "cut": 2}), UsageError, "leave out --cut and --columns"),
        (settings("ranking"), UsageError, "unknown kind of task 'ranking'"),
        (embank.FitSettings(kind="tagging"), UsageError, "unknown kind of task 'tagging'"),
    ],
)
def test_what_a_tail_cannot_start_from_is_refused_in_words(bank, asked, error, said):
    with pytest.raises(error, match=said):
        bank.fit("mood", moods(TEXTS), texts=TEXTS, settings=asked)
    assert bank.tasks() == []


def test_a_tail_reads_two_texts_together_and_never_apart(bank):
    apart = embank.FitSettings(reads="apart", columns=(COLUMN,), tail=embank.TailSettings())
    with pytest.raises(UsageError, match="a tail reads two texts together, as one: give pairs as texts"):
        bank.fit("mood", moods(TEXTS), texts=TEXTS, seconds=TEXTS, settings=apart)


@pytest.mark.parametrize(
    ("kind", "labels", "said"),
    [
        ("single", ["same"] * 72, "all 72 texts have the same label, 'same': there is nothing to learn"),
        ("single", [None] * 72, "none of the 72 rows has a label"),
        ("single", ["a", "b", *[None] * 70], "2 labelled texts are too few"),
        ("regression", moods(TEXTS), "'good' is no number"),
        (
            "tagging",
            [["O", "B-city"]] * 36 + [["O"]] * 36,
            "found 72 of 72 rows whose tags are not one per word; row 0 has 2 tags and",
        ),
        ("tagging", moods(TEXTS), "expected a list of tags, one per word"),
        ("span", ANSWERS, "reads pairs, question and context"),
    ],
)
def test_labels_that_do_not_fit_are_refused_in_words(bank, kind, labels, said):
    with pytest.raises((HeadError, UsageError), match=said):
        bank.fit("task", labels, texts=TEXTS, settings=settings(kind))
    assert bank.tasks() == []


def test_answers_that_do_not_stand_in_their_contexts_are_refused(bank):
    with pytest.raises(HeadError, match="found 72 of 72 answers that do not fit their contexts"):
        bank.fit("where", ["berlin"] * 72, texts=PAIRS, settings=settings("span"))


def test_a_span_needs_its_texts(bank):
    with pytest.raises(UsageError, match="needs its texts, question and context: give them, not only ids"):
        bank.fit("where", ANSWERS, ids=IDS, settings=settings("span"))


def test_a_tagger_needs_words_that_are_kept_or_given(bank, fitted):
    with pytest.raises(
        HeadError, match="72 of the labelled texts are not kept in the bank, and tagging needs the texts"
    ):
        bank.fit("words", tags(TEXTS), ids=IDS, settings=settings("tagging"))
    assert fitted.fit("words", tags(TEXTS), ids=IDS, settings=settings("tagging")).examples == 72


@pytest.mark.parametrize("kind", ["tagging", "span"])
def test_limited_states_do_not_serve_kinds_that_read_each_token(bank, kind):
    labels, texts = labelled(kind)
    with pytest.raises(
        UsageError, match=r"keeps no state for every token; tagging and spans need states without limit"
    ):
        bank.fit("task", labels, texts=texts, settings=settings(kind, columns=("tiny/1/states+first8@float16",)))
    assert rows(bank, "tiny/1/states+first8@float16") is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"method": "prompt"}, "unknown method of a tail 'prompt'; choose from: full, adapters, lora"),
        ({"width": 0}, "found width 0 for a tail, expected at least 1"),
        ({"rank": -1}, "found rank -1 for a tail, expected at least 1"),
    ],
)
def test_settings_that_no_tail_can_have_are_refused(wrong, said):
    with pytest.raises(UsageError, match=said):
        embank.TailSettings(**wrong)


# what does not need torch


def runs_without_torch(bank, lines):
    program = "\n    ".join(
        [
            f"import sys, embank\nwith embank.Bank.open({str(bank.path)!r}) as bank:",
            *lines,
            "assert not {'torch', 'transformers', 'peft'} & set(sys.modules), 'torch was imported'",
        ]
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_bank_with_tails_is_read_and_its_heads_predict_without_torch(fitted):
    fitted.close()
    runs_without_torch(
        fitted,
        [
            "assert len(bank.tasks()) == 6",
            "assert bank.summary().texts == 144",
            "assert bank.verify() == []",
            f"assert len(bank.vectors({LINEAR!r})) == 144",
            "assert None not in bank.predict(tasks=['plain']).to_pydict()['plain']",
            f"assert None not in bank.predict({TEXTS[:9]!r}, tasks=['plain']).to_pydict()['plain']",
        ],
    )


def test_heads_are_fitted_again_and_tails_forgotten_without_torch(fitted):
    fitted.close()
    runs_without_torch(
        fitted,
        [
            "bank.refit('plain')",
            "bank.forget_task('mood')",
            f"bank.forget_column({COLUMN!r})",
            "bank.forget_ids(['t1'])",
        ],
    )


def test_a_tail_that_is_named_for_two_texts_apart_is_refused(fitted):
    with pytest.raises(embank.errors.UsageError, match="is a tail and reads texts together"):
        fitted.predict(TEXTS[:2], seconds=TEXTS[2:4], tasks=["mood"])


def test_a_class_weighting_is_refused_with_a_tail(bank):
    labels, texts = labelled("single")
    settings = embank.FitSettings(class_weight="balanced", tail=embank.TailSettings())
    with pytest.raises(embank.errors.UsageError, match="weighs all classes alike"):
        bank.fit("mood", labels, texts=texts, settings=settings)
