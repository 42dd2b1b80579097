"""Tags: word lists become texts and come back, and tags survive tokens."""

import re
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embank.errors import HeadError, UsageError
from embank.labels.tags import (
    IGNORED,
    first_subwords,
    legal,
    read_tags,
    tag_names,
    tag_targets,
    tags_of,
    word_of_tokens,
)
from embank.labels.words import words_fault, words_text
from embank.metrics.tagging import entities

NAMES = ("O", "B-city", "B-name", "I-city", "I-name")
PARTS_OF_SPEECH = ("ADJ", "NOUN", "PUNCT", "VERB")
ANY_WORDS = st.lists(st.text(max_size=6), min_size=1, max_size=12)
ODD = st.sampled_from(["10\u00a0000", "", " ", "\u3000", "a b", "\u2028x", "\x1c", "y\n", "\u200b", "_", "plain"])


def tags(names=NAMES, size=8):
    return st.lists(st.sampled_from(names), min_size=1, max_size=size)


@st.composite
def token_rows(draw, names=NAMES):
    """A text of words, cut into tokens at random places, and tags of its words."""
    words = draw(st.lists(st.text("abcé☃", min_size=1, max_size=5), min_size=1, max_size=10))
    text = words_text(words)
    places = [(0, 0)]  # a special token in front
    for match in re.finditer(r"\S+", text):
        start, end = match.span()
        inner = draw(st.sets(st.integers(start + 1, end - 1))) if end - start > 1 else set()
        edges = [start, *sorted(inner), end]
        # Some tokenizers count the blank before a word to its first token.
        edges[0] -= int(start > 0 and draw(st.booleans()))
        places += pairwise(edges)
    kept = draw(st.integers(1, len(places)))
    places = [*places[:kept], (0, 0)]
    starts, ends = np.array(places, np.int32).T
    own = draw(st.lists(st.sampled_from(names), min_size=len(words), max_size=len(words)))
    return text, starts, ends, own


@given(ANY_WORDS | st.lists(ODD, min_size=1))
def test_a_text_made_of_words_has_as_many_words_in_the_same_order(words):
    found = words_text(words).split()
    assert len(found) == len(words)
    for word, own in zip(words, found, strict=True):
        assert own == ("_".join(word.split()) or "_")


@given(st.lists(st.text("abcé☃-_", min_size=1), min_size=1))
def test_words_without_white_space_are_left_as_they_are(words):
    assert words_text(words).split() == words
    assert words_text(np.array(words)) == words_text(tuple(words)) == words_text(words)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (None, "null"),
        ("a sentence", "not a list of words: str"),
        ({"a": 1}, "not a list of words: dict"),
        (np.array([["a"]]), "not a list of words: ndarray"),
        ([], "no words"),
        (["a", None], "word 1 is not a string: NoneType"),
        ([7, "b"], "word 0 is not a string: int"),
    ],
)
def test_what_is_no_list_of_words_is_given_a_reason(words, fault):
    assert words_fault(words) == fault
    with pytest.raises(UsageError, match=f"found {fault}, expected a list of words"):
        words_text(words)


def test_words_are_told_apart_by_the_same_white_space_as_split_does():
    signs = [chr(code) for code in range(sys.maxunicode + 1)]
    assert [sign for sign in signs if not re.fullmatch(r"\S", sign)] == [sign for sign in signs if not sign.split()]


@given(token_rows())
def test_every_token_knows_its_word(row):
    text, starts, ends, _ = row
    numbers = word_of_tokens(text, starts, ends)
    assert numbers.dtype == np.int32
    words = [match.span() for match in re.finditer(r"\S+", text)]
    for number, start, end in zip(numbers.tolist(), starts.tolist(), ends.tolist(), strict=True):
        assert (number == -1) == (start == end)
        if number >= 0:
            assert words[number][0] - 1 <= start < end <= words[number][1]


def test_tokens_of_blanks_have_no_word_and_tokens_of_several_words_have_the_first():
    starts, ends = np.array([[0, 1], [1, 3], [3, 4], [3, 5], [0, 8], [7, 8], [9, 9]], np.int32).T
    assert word_of_tokens("a  b cd ", starts, ends).tolist() == [0, -1, 1, 1, 0, -1, -1]
    assert word_of_tokens(" ", np.array([0], np.int32), np.array([1], np.int32)).tolist() == [-1]
    assert word_of_tokens("a", np.array([], np.int32), np.array([], np.int32)).tolist() == []


@given(token_rows())
def test_the_first_token_of_each_word_that_was_read_is_marked_once(row):
    text, starts, ends, _ = row
    numbers = word_of_tokens(text, starts, ends)
    mask = first_subwords(numbers)
    assert numbers[mask].tolist() == sorted(set(numbers.tolist()) - {-1})
    for place in np.flatnonzero(mask):
        assert numbers[place] not in numbers[:place]


@given(token_rows())
def test_tags_survive_targets_and_words_beyond_the_cut_are_outside(row):
    text, starts, ends, own = row
    numbers = word_of_tokens(text, starts, ends)
    targets = tag_targets(own, numbers, NAMES)
    assert targets.dtype == np.int64
    assert ((targets == IGNORED) == ~first_subwords(numbers)).all()
    read = set(numbers.tolist())
    right = tuple(tag if word in read else "O" for word, tag in enumerate(own))
    assert tags_of(targets, numbers, len(own), NAMES) == right


@given(token_rows(PARTS_OF_SPEECH))
def test_words_beyond_the_cut_have_no_part_of_speech(row):
    text, starts, ends, own = row
    numbers = word_of_tokens(text, starts, ends)
    found = tags_of(tag_targets(own, numbers, PARTS_OF_SPEECH), numbers, len(own), PARTS_OF_SPEECH)
    read = set(numbers.tolist())
    assert found == tuple(tag if word in read else None for word, tag in enumerate(own))


def test_label_numbers_beside_the_first_tokens_are_not_looked_at():
    numbers = np.array([-1, 0, 0, 1, -1], np.int32)
    assert tags_of(np.array([9, 1, 9, 3, -100]), numbers, 3, NAMES) == ("B-city", "I-city", "O")
    assert tags_of(np.array([9, 1, 9, 3, -100]), numbers, 3, NAMES, "B-name") == ("B-city", "I-city", "B-name")


def test_tags_that_do_not_fit_the_words_or_names_are_refused():
    numbers = np.array([-1, 0, 1, -1], np.int32)
    with pytest.raises(HeadError, match="found 1 tags for a text of at least 2 words"):
        tag_targets(["O"], numbers, NAMES)
    with pytest.raises(HeadError, match="found tag 'B-food', expected one of O, B-city"):
        tag_targets(["O", "B-food"], numbers, NAMES)
    with pytest.raises(HeadError, match="words up to 1 with labels 0 to 5, expected 2 words and 5 labels"):
        tags_of(np.array([0, 0, 5, 0]), numbers, 2, NAMES)
    with pytest.raises(HeadError, match="words up to 1 with labels 0 to 0, expected 1 words"):
        tags_of(np.array([0, 0, 0, 0]), numbers, 1, NAMES)


@pytest.mark.parametrize(
    "values",
    [
        [["O", "B-x"], None, []],
        [("O", "B-x"), float("nan"), ()],
        ['["O", "B-x"]', "", "[]"],
        [np.array(["O", "B-x"]), None, np.array([], object)],
        [np.array(["O", " B-x"], object), None, []],
    ],
)
def test_tags_are_read_from_lists_arrays_and_json(values):
    assert read_tags(values) == [("O", "B-x"), None, ()]


@pytest.mark.parametrize("values", [[[0, 12]], ["[0, 12]"], [np.array([0, 12])]])
def test_tags_that_are_whole_numbers_are_known_by_their_digits(values):
    assert read_tags(values) == [("0", "12")]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([["O"], '["O"]'], "row 1 has JSON lists and row 0 has lists"),
        ([["O"], [1]], "row 1 has whole numbers and row 0 has strings"),
        ([["O", 1]], "row 0 has whole numbers and row 0 has strings"),
        ([["O"], "O O"], "row 1 has 'O O', expected a list of tags"),
        ([["O"], "['O']"], "row 1 has \"['O']\", expected a list of tags"),
        (["3"], "row 0 has '3', expected a list of tags"),
        ([7], "row 0 has 7, expected a list of tags"),
        ([{"O": 1}], "row 0 has {'O': 1}, expected a list of tags"),
        ([np.array([["O"]])], "expected a list of tags"),
        ([["O", None]], "row 0 has None among its tags"),
        ([["O", ""]], "row 0 has '' among its tags"),
        ([["O", True]], "row 0 has True among its tags"),
        ([[0.5]], "row 0 has 0.5 among its tags"),
        ([None, None], "none of the 2 rows has tags"),
        ([], "none of the 0 rows has tags"),
    ],
)
def test_columns_that_are_no_tags_are_refused(values, message):
    with pytest.raises(HeadError) as refused:
        read_tags(values)
    assert message in str(refused.value)


def test_names_are_sorted_with_the_outside_first():
    assert tag_names([("I-x", "B-x"), None, ("O", "B-a")]) == ("O", "B-a", "B-x", "I-x")
    assert tag_names([("VERB", "NOUN")]) == ("NOUN", "VERB")


LOGITS = (
    st.integers(0, 20)
    .flatmap(
        lambda words: st.lists(
            st.lists(st.floats(-9, 9, allow_nan=False, width=32), min_size=len(NAMES), max_size=len(NAMES)),
            min_size=words,
            max_size=words,
        )
    )
    .map(lambda rows: np.array(rows, np.float32).reshape(-1, len(NAMES)))
)


@given(LOGITS)
def test_repaired_tags_open_every_entity_and_mark_the_same_entities(logits):
    plain = [NAMES[number] for number in logits.argmax(axis=1)]
    numbers = legal(logits, NAMES)
    assert numbers.dtype == np.int64
    repaired = [NAMES[number] for number in numbers]
    assert entities(repaired) == entities(plain)
    for place, (one, other) in enumerate(zip(plain, repaired, strict=True)):
        before = repaired[place - 1] if place else "O"
        if other.startswith("I-"):
            assert before in ("B" + other[1:], other)
        assert one == other or (one[:2], other[:2], one[2:]) == ("I-", "B-", other[2:])


@given(LOGITS)
def test_repairing_what_is_repaired_changes_nothing(logits):
    numbers = legal(logits, NAMES)
    assert legal(np.eye(len(NAMES))[numbers], NAMES).tolist() == numbers.tolist()


def test_a_tag_whose_opening_is_not_among_the_names_stays():
    assert legal(np.eye(2)[[0, 1, 1]], ("O", "I-x")).tolist() == [0, 1, 1]
    assert legal(np.eye(3)[[0, 2, 2]], ("O", "B", "I")).tolist() == [0, 1, 2]
    assert legal(np.eye(4)[[0, 3, 1]], PARTS_OF_SPEECH).tolist() == [0, 3, 1]
