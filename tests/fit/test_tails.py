"""Tails in a bank: every kind fitted on banked states, served beside linear heads."""

import numpy as np
import pytest

from embank.encode.state_loader import StateSource
from embank.labels.kinds import KINDS
from embank.models.tail_settings import METHODS
from material.tail_bank import (
    ANSWERS,
    IDS,
    PAIRS,
    TASKS,
    TEXTS,
    equal,
    labelled,
    reopened,
    rows,
    weights,
)
from material.tails import (
    COLUMN,
    moods,
    same,
    settings,
    sizes,
    tags,
    texts_of,
    topics,
)

pytestmark = pytest.mark.usefixtures("one_thread")


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
