"""Texts, recipes and labels: identity and grammar."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embank.errors import HeadError, UsageError
from embank.labels.read import read_labels
from embank.recipe import ColumnName, Reading, Recipe
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


@given(
    st.text(string.ascii_letters, min_size=1, max_size=8),
    st.integers(0, 99),
    st.sampled_from(["mean", "max", "first", "last", "own"]),
    st.sampled_from(
        [(), ("unit",), ("pca64",), ("unit", "centred", "pca128", "unit"), ("pca96", "dims48"), ("dims1",)]
    ),
    st.sampled_from(["float32", "float16", "int8", "int4", "binary"]),
)
def test_a_column_name_survives_being_written_and_read(encoder, layer, pooling, steps, codec):
    name = ColumnName(encoder, layer, pooling, steps, codec)
    assert ColumnName.parse(str(name)) == name


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("minilm", "encoder/layer/pooling@codec"),
        ("minilm/x/mean", "no layer number"),
        ("minilm/4/median", "mean, max, first, last"),
        ("minilm/4/mean+median", "there are: unit, centred, pca, dims"),
        ("minilm/4/mean+pca", "write pca64, with any number from 1"),
        ("minilm/4/mean+pca0", "write pca64"),
        ("minilm/4/mean+dims064", "write dims64"),
        ("minilm/4/mean+unit2", "'unit2' in .* is no step: write unit"),
        ("minilm/4/mean+pca64+pca32", "has the step 'pca' twice"),
        ("minilm/4/mean+centred+pca8+centred", "has the step 'centred' twice"),
        ("minilm/4/states+pca64", "limits states"),
        ("minilm/4/mean@int2", "float32, float16, int8, int4, binary"),
        ("mini lm/4/mean", "no encoder name"),
        ("minilm/4/states+unit@int8", "limits states in a way that there is not"),
        ("minilm/4/states+first08", "limits states"),
        ("minilm/4/states+segments0", "limits states"),
        ("minilm/4/states+first2+first1", "limits states"),
        ("minilm/4/mean+first2", "is no step"),
    ],
)
def test_a_wrong_column_name_is_refused_with_what_is_right(spec, said):
    with pytest.raises(UsageError, match=said):
        ColumnName.parse(spec)


def test_everything_in_a_recipe_counts_for_its_fingerprint():
    plain = Recipe(Reading("w", "t"), 3, "mean", (), "int8", "c")
    others = [
        Recipe(Reading("x", "t"), 3, "mean", (), "int8", "c"),
        Recipe(Reading("w", "u"), 3, "mean", (), "int8", "c"),
        Recipe(Reading("w", "t", prompt="query: "), 3, "mean", (), "int8", "c"),
        Recipe(Reading("w", "t", max_tokens=128), 3, "mean", (), "int8", "c"),
        Recipe(Reading("w", "t", truncation="left"), 3, "mean", (), "int8", "c"),
        Recipe(Reading("w", "t", long="windows"), 3, "mean", (), "int8", "c"),
        Recipe(Reading("w", "t", prefix="p"), 3, "mean", (), "int8", "c"),
        Recipe(Reading("w", "t", compute="int8"), 3, "mean", (), "int8", "c"),
        Recipe(Reading("w", "t"), 4, "mean", (), "int8", "c"),
        Recipe(Reading("w", "t"), 3, "max", (), "int8", "c"),
        Recipe(Reading("w", "t"), 3, "mean", ("unit",), "int8", "c"),
        Recipe(Reading("w", "t"), 3, "mean", (), "binary", "c"),
        Recipe(Reading("w", "t"), 3, "mean", (), "int8", "d"),
    ]
    assert len({recipe.fingerprint for recipe in (plain, *others)}) == len(others) + 1
    assert plain.source == others[-1].source == others[-2].source
    assert plain.source != others[0].source


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        (["a", "b", "a"], "single", ("a", "b", "a")),
        ([0, 1, 1], "single", ("0", "1", "1")),
        ([0.0, 1.0, float("nan")], "single", ("0", "1", None)),
        ([True, False], "single", ("true", "false")),
        (["1", "2", "", None], "single", ("1", "2", None, None)),
        ([1.5, 2.0], "regression", (1.5, 2.0)),
        (["0.5", "7", ""], "regression", (0.5, 7.0, None)),
        (list(range(30)), "regression", tuple(map(float, range(30)))),
        ([["b", "a"], [], None], "multi", (("a", "b"), (), None)),
        (['["x", "y"]', "[]"], "multi", (("x", "y"), ())),
        (["a|b", "b", "a", ""], "multi", (("a", "b"), ("b",), ("a",), ())),
        (["either|or", "neither|nor", "x"], "single", ("either|or", "neither|nor", "x")),
    ],
)
def test_label_columns_are_read_as_people_mean_them(values, kind, read):
    labels = read_labels(values)
    assert (labels.kind, labels.values) == (kind, read)


def test_a_given_kind_overrules_the_guess():
    assert read_labels([0, 1, 2], "regression").values == (0.0, 1.0, 2.0)
    assert read_labels(["a|b"], "single").values == ("a|b",)
    assert read_labels(["a", "b"], "multi").values == (("a",), ("b",))


def test_labels_that_do_not_fit_their_kind_are_refused():
    with pytest.raises(HeadError, match="is no number"):
        read_labels(["a", "b"], "regression")
    with pytest.raises(HeadError, match="no single label"):
        read_labels([["a"]], "single")
    with pytest.raises(HeadError, match="none of the 2 rows has a label"):
        read_labels([None, float("nan")])
    with pytest.raises(UsageError, match="auto, single, multi, regression"):
        read_labels(["a"], "many")
