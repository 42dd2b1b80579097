"""Measures of tags and entities, against seqeval and scikit-learn."""

import warnings
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from embank.errors import HeadError
from embank.metrics.tagging import Entity, entities, entity_scores, has_entities, tagging_measures, token_accuracy

NAMES = ("O", "B-city", "B-name", "I-city", "I-name")
PARTS_OF_SPEECH = ("ADJ", "NOUN", "PUNCT", "VERB")


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ([], []),
        (["O", "O"], []),
        (["B-x", "I-x", "I-x"], [Entity("x", 0, 2)]),
        (["B-x", "B-x"], [Entity("x", 0, 0), Entity("x", 1, 1)]),
        (["O", "I-x", "I-x", "B-x"], [Entity("x", 1, 2), Entity("x", 3, 3)]),
        (["B-x", "I-y", "I-x"], [Entity("x", 0, 0), Entity("y", 1, 1), Entity("x", 2, 2)]),
        (["B-creative-work", "I-creative-work"], [Entity("creative-work", 0, 1)]),
        (["B", "I", "O", "I"], [Entity("_", 0, 1), Entity("_", 3, 3)]),
        (["B-x", "E-x", "I-x", "S-x"], [Entity("x", 0, 1), Entity("x", 2, 2), Entity("x", 3, 3)]),
        (["B-x", None, "I-x", "X"], [Entity("x", 0, 0), Entity("x", 2, 2)]),
    ],
)
def test_entities_are_found_as_conlleval_finds_them(tags, found):
    assert entities(tags) == found


@st.composite
def tagged_texts(draw, names):
    lengths = draw(st.lists(st.integers(1, 8), min_size=1, max_size=6))
    columns = [
        [draw(st.lists(st.sampled_from(names), min_size=n, max_size=n)) for n in lengths] for _ in ("truth", "guess")
    ]
    return columns[0], columns[1]


@given(tagged_texts([*NAMES, "E-city", "S-city", "E-name", "B", "I"]))
def test_scores_of_entities_equal_those_of_seqeval(texts):
    seqeval = pytest.importorskip("seqeval.metrics")
    truth, guess = texts
    found = entity_scores(truth, guess)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # divisions by zero, which both sides call 0
        assert found["entity_f1"] == pytest.approx(seqeval.f1_score(truth, guess))
        assert found["precision"] == pytest.approx(seqeval.precision_score(truth, guess))
        assert found["recall"] == pytest.approx(seqeval.recall_score(truth, guess))
        each = seqeval.f1_score(truth, guess, average=None)
    labels = sorted(name for name in found if name.startswith("f1/"))
    assert [found[label] for label in labels] == pytest.approx(list(each))
    assert token_accuracy(truth, guess) == pytest.approx(seqeval.accuracy_score(truth, guess))
    for one in truth:
        own = [(entity.label, entity.first, entity.last) for entity in entities(one)]
        assert own == seqeval.sequence_labeling.get_entities(one)


@given(tagged_texts(PARTS_OF_SPEECH))
def test_measures_of_parts_of_speech_equal_those_of_scikit_learn(texts):
    truth, guess = texts
    right, found = list(chain(*truth)), list(chain(*guess))
    assert tagging_measures(truth, guess) == {
        "accuracy": pytest.approx(accuracy_score(right, found)),
        "macro_f1": pytest.approx(f1_score(right, found, average="macro", zero_division=0.0)),
    }


def test_tags_with_prefixes_are_measured_by_their_entities():
    truth = [["B-city", "I-city", "O", "B-name"], ["O"]]
    guess = [["B-city", "I-city", "B-name", "O"], ["O"]]
    assert tagging_measures(truth, guess) == {"entity_f1": 0.5, "precision": 0.5, "recall": 0.5, "accuracy": 0.6}
    micro = {"entity_f1": 0.5, "precision": 0.5, "recall": 0.5}
    assert entity_scores(truth, guess) == micro | {"f1/city": 1.0, "f1/name": 0.0}
    nothing = tagging_measures([["O", "O"]], [["O", "O"]])
    assert nothing == {"entity_f1": 0.0, "precision": 0.0, "recall": 0.0, "accuracy": 1.0}


def test_a_word_without_a_prediction_counts_as_wrong():
    assert tagging_measures([["NOUN", "VERB"]], [["NOUN", None]]) == {"accuracy": 0.5, "macro_f1": 0.5}


@pytest.mark.parametrize(
    ("names", "right"),
    [
        (["O"], True),
        (["O", "B", "I"], True),
        (["B-x"], True),
        (["S-x", "O"], True),
        (["NOUN", "X", "I"], False),
        (["O", "person"], False),
        ([], False),
        ([None], False),
    ],
)
def test_tags_that_mark_entities_are_known_by_their_prefixes(names, right):
    assert has_entities(names) is right


@pytest.mark.parametrize("measure", [entity_scores, token_accuracy, tagging_measures])
@pytest.mark.parametrize(
    ("truth", "guess"), [([["O"]], [["O", "O"]]), ([["O"], ["O"]], [["O", "O"]]), ([], []), ([[]], [[]])]
)
def test_measures_refuse_texts_of_other_lengths_and_nothing_at_all(measure, truth, guess):
    with pytest.raises(HeadError, match="expected one of each per word"):
        measure(truth, guess)
