"""Keys of texts and pairs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embank.texts import keys_and_faults, text_fault, text_key

WORDS = st.text(min_size=1, max_size=20).filter(lambda text: text.strip() and text_fault(text) is None)


@given(WORDS, WORDS, WORDS, WORDS)
def test_pairs_share_a_key_only_if_both_halves_are_equal(a, b, c, d):
    assert (text_key((a, b)) == text_key((c, d))) == ((a, b) == (c, d))


@given(WORDS, st.integers(0, 20))
def test_moving_the_boundary_of_a_pair_changes_its_key(text, cut):
    left, right = text[:cut], text[cut:]
    keys = {text_key(text), text_key((left, right)), text_key((left + right, "")), text_key(("", left + right))}
    assert len(keys) == len({text, (left, right), (left + right, ""), ("", left + right)})


@given(
    st.lists(
        st.one_of(st.none(), st.integers(), st.text(max_size=5), st.tuples(WORDS, st.none()), st.tuples(WORDS, WORDS))
    )
)
def test_hashing_many_texts_agrees_with_hashing_each(texts):
    keys, faults = keys_and_faults(texts)
    for offset, text in enumerate(texts):
        fault = text_fault(text)
        assert faults.get(offset) == fault
        assert keys[offset] == (None if fault else text_key(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [(None, "null"), ("", "empty"), (" \n", "empty"), (7, "not a string: int"), ("a\ud800", "lone surrogate")],
)
def test_what_cannot_be_encoded_is_given_a_reason(text, reason):
    assert text_fault(text).startswith(reason)
