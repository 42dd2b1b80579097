"""Names of columns, and what counts for a fingerprint."""

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embank.errors import UsageError
from embank.recipe import ColumnName, Reading, Recipe


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
        ("minilm/4/mean+median", "choose from: unit, centred, pca, dims"),
        ("minilm/4/mean+pca", "write pca64, with any number from 1"),
        ("minilm/4/mean+pca0", "write pca64"),
        ("minilm/4/mean+dims064", "write dims64"),
        ("minilm/4/mean+unit2", "'unit2' in .* is no step: write unit"),
        ("minilm/4/mean+pca64+pca32", "has the step 'pca' twice"),
        ("minilm/4/mean+centred+pca8+centred", "has the step 'centred' twice"),
        ("minilm/4/states+pca64", "unknown limit of states"),
        ("minilm/4/mean@int2", "float32, float16, int8, int4, binary"),
        ("mini lm/4/mean", "no encoder name"),
        ("minilm/4/states+unit@int8", "unknown limit of states"),
        ("minilm/4/states+first08", "unknown limit of states"),
        ("minilm/4/states+segments0", "unknown limit of states"),
        ("minilm/4/states+first2+first1", "unknown limit of states"),
        ("minilm/4/mean+first2", "unknown step"),
    ],
)
def test_a_wrong_column_name_is_refused_with_what_is_right(spec, said):
    with pytest.raises(UsageError, match=said):
        ColumnName.parse(spec)


def test_everything_in_a_recipe_counts_for_its_fingerprint():
    plain = Recipe(
        reading=Reading(weights="w", tokenizer="t"), layer=3, pooling="mean", steps=(), codec="int8", calibration="c"
    )
    others = [
        replace(plain, reading=Reading(weights="x", tokenizer="t")),
        replace(plain, reading=Reading(weights="w", tokenizer="u")),
        replace(plain, reading=Reading(weights="w", tokenizer="t", prompt="query: ")),
        replace(plain, reading=Reading(weights="w", tokenizer="t", max_tokens=128)),
        replace(plain, reading=Reading(weights="w", tokenizer="t", truncation="left")),
        replace(plain, reading=Reading(weights="w", tokenizer="t", long="windows")),
        replace(plain, reading=Reading(weights="w", tokenizer="t", prefix="p")),
        replace(plain, reading=Reading(weights="w", tokenizer="t", compute="int8")),
        replace(plain, layer=4),
        replace(plain, pooling="max"),
        replace(plain, steps=("unit",)),
        replace(plain, codec="binary"),
        replace(plain, calibration="d"),
    ]
    assert len({recipe.fingerprint for recipe in (plain, *others)}) == len(others) + 1
    assert plain.source == others[-1].source == others[-2].source
    assert plain.source != others[0].source
