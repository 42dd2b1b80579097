"""What users give to fit a tail: ids, lists of words, pairs, rows without labels; and what is refused."""

import numpy as np
import pytest

import embank
from embank.errors import HeadError, UsageError
from material.tail_bank import (
    ANSWERS,
    IDS,
    PAIRS,
    TEXTS,
    equal,
    labelled,
    reopened,
    rows,
    weights,
)
from material.tails import (
    COLUMN,
    LAYERS,
    LINEAR,
    moods,
    options,
    same,
    settings,
    tags,
    texts_of,
)

pytestmark = pytest.mark.usefixtures("one_thread")


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
