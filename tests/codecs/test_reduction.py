"""Steps after an encoder's vectors: learned once, exact for each text by itself, the best there is of so few numbers."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embank.codecs.reduction import AXES, CENTRE, Reduction, learn, learns, of_codec, restore, width_after
from embank.errors import UsageError
from embank.linalg.rotations import leading_axes
from embank.recipe import ColumnName, Reading, Recipe

WIDTH = 21
STEPS = [
    ("pca8",),
    ("centred", "pca8"),
    ("dims5",),
    ("centred",),
    ("pca12", "unit"),
    ("centred", "pca9", "dims3", "unit"),
]


def sampled(texts=300, width=WIDTH, seed=0):
    """Vectors as layers give them: correlated, of very different sizes, far from zero."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(width, width)) * np.geomspace(3, 0.05, width)
    return (random.normal(size=(texts, width)) @ mixing + random.normal(size=width) * 4).astype(np.float32)


@pytest.mark.parametrize("steps", STEPS, ids="+".join)
def test_a_text_alone_has_the_bytes_it_has_in_a_crowd(steps):
    reduction, vectors = learn(steps, sampled()), sampled(5000, seed=1)
    together = reduction(vectors)
    for at in (0, 1, 4095, 4096, 4999):
        assert reduction(vectors[at : at + 1]).tobytes() == together[at].tobytes()
    shuffled = np.random.default_rng(2).permutation(5000)
    np.testing.assert_array_equal(reduction(np.asfortranarray(vectors[shuffled])), together[shuffled])


@settings(max_examples=settings.default.max_examples * 3 // 5, deadline=None)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 12), st.just(WIDTH)),
        elements=st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=True),
    )
)
def test_any_finite_vectors_stay_finite_and_depend_on_themselves_alone(vectors):
    reduction = learn(("centred", "pca8", "unit"), sampled())
    found = reduction(vectors)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(np.concatenate([reduction(row[None]) for row in vectors]), found)


def test_coordinates_are_products_with_the_axes_to_float32s_rounding():
    vectors = sampled(200, seed=3)
    reduction = learn(("pca8",), sampled())
    expected = vectors.astype(np.float64) @ (reduction.axes / 2.0**20)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    assert (np.abs(reduction(vectors) - expected) / lengths).max() < 2.0**-22


@pytest.mark.parametrize("power", [-60, -3, 7, 90])
def test_a_power_of_two_passes_through(power):
    reduction, vectors = learn(("pca8",), sampled()), sampled(20, seed=4)
    np.testing.assert_array_equal(
        reduction(np.ldexp(vectors, power)), np.ldexp(reduction(vectors).astype(np.float64), power).astype(np.float32)
    )


def test_no_other_axes_keep_the_products_of_a_sample_better():
    sample = sampled(400).astype(np.float64)
    products = sample @ sample.T
    reduced = learn(("pca8",), sampled(400))(sampled(400)).astype(np.float64)
    left = np.square(products - reduced @ reduced.T).sum()
    tail = np.linalg.svd(sample, compute_uv=False)[8:]
    assert left == pytest.approx(np.square(tail**2).sum(), rel=1e-3)
    centred = learn(("centred", "pca8"), sampled(400))(sampled(400)).astype(np.float64)
    assert np.square(products - centred @ centred.T).sum() > 2 * left


def test_centred_axes_are_those_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    sample = sampled(2000)
    theirs = decomposition.PCA(5, svd_solver="full").fit_transform(sample.astype(np.float64))
    found = learn(("centred", "pca5"), sample)(sample)
    signs = np.sign((found * theirs).sum(axis=0))
    np.testing.assert_allclose(found * signs, theirs, atol=1e-3)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-3)


def test_leading_axes_are_orthonormal_and_begin_with_the_strongest():
    sample = sampled(9000)  # more than are summed at a time
    axes = leading_axes(sample, 10)
    np.testing.assert_allclose(axes.T @ axes, np.eye(10), atol=1e-10)
    kept = np.square(sample.astype(np.float64) @ axes).sum(axis=0)
    assert (np.diff(kept) <= 0).all()
    np.testing.assert_allclose(leading_axes(sample, 4), axes[:, :4])
    assert leading_axes(sample[:2], WIDTH).shape == (WIDTH, WIDTH)


def test_the_first_axes_of_many_are_the_axes_of_few():
    vectors = sampled(50, seed=5)
    many, few = learn(("pca12",), sampled()), learn(("pca4",), sampled())
    np.testing.assert_array_equal(many(vectors)[:, :4], few(vectors))


def test_unit_vectors_have_length_one_and_nothing_stays_nothing():
    reduction = Reduction(("unit",))
    found = reduction(np.vstack([sampled(5), np.zeros((1, WIDTH), np.float32), np.full((1, WIDTH), 1e-30, np.float32)]))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 1, 1, 1, 1, 0, 1], atol=1e-6)


def test_dims_are_the_first_ones_and_nothing_is_learned():
    vectors = sampled(7)
    reduction = learn(("dims5",), vectors[:0])
    np.testing.assert_array_equal(reduction(vectors), vectors[:, :5])
    assert (reduction.digest, reduction.calibration()) == ("", {})
    assert not learns(("unit", "dims5"))
    assert learns(("unit", "pca5"))


@pytest.mark.parametrize("steps", STEPS, ids="+".join)
def test_what_was_learned_is_restored_to_the_bit(steps):
    reduction, vectors = learn(steps, sampled()), sampled(30, seed=6)
    kept = {**reduction.calibration(), "scale": np.ones(3, np.float32)}
    again = restore(steps, kept)
    assert again.digest == reduction.digest
    np.testing.assert_array_equal(again(vectors), reduction(vectors))
    assert list(of_codec(kept)) == ["scale"]


def test_other_samples_other_digests():
    digests = {learn(("pca8",), sampled(seed=seed)).digest for seed in (0, 1)}
    assert len({*digests, learn(("centred", "pca8"), sampled()).digest}) == 3


def test_a_reduction_that_was_stored_gives_the_same_vectors_for_ever():
    axes = np.array([[1 << 20, 0], [0, -(1 << 19)], [1 << 18, 3]], np.int32)
    found = restore(("centred", "pca2", "unit"), {CENTRE: np.array([1, 0, 0.5], np.float32), AXES: axes})
    assert found.digest == "94346056e5174dfcca431122c4ae701d"
    vectors = np.array([[2, 1, 0.5], [1, -3, 4.5], [1, 0, 0.5]], np.float32)
    expected = [[0.8944272, -0.4472136], [0.5546993, 0.8320541], [0, 0]]
    np.testing.assert_allclose(found(vectors), expected, rtol=1e-5)


def test_the_width_after_steps_is_that_of_the_last_that_names_one():
    assert width_after(("unit", "pca64", "dims16", "unit"), 384) == 16
    assert width_after((), 384) == 384


def test_more_dimensions_than_there_are_are_refused():
    for steps in (("dims22",), ("pca22",), ("pca8", "dims9"), ("dims8", "pca9")):
        with pytest.raises(UsageError, match="keeps .* dimensions of .*: name fewer"):
            learn(steps, sampled())
    with pytest.raises(UsageError, match="keeps 5 dimensions of 4"):
        Reduction(("dims5",))(sampled(3, 4))
    with pytest.raises(UsageError, match="learned on vectors of width 21, found 22"):
        learn(("pca8",), sampled())(sampled(3, 22))
    with pytest.raises(UsageError, match="learned on vectors of width 21, found 20"):
        learn(("centred",), sampled())(sampled(3, 20))


def test_there_is_nothing_to_learn_from_nothing():
    with pytest.raises(UsageError, match="steps centred\\+pca8 are learned from a sample of texts, found an empty one"):
        learn(("centred", "pca8"), sampled()[:0])


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        (("pca2",), {}),
        (("dims2",), {AXES: np.zeros((4, 2), np.int32)}),
        (("centred", "pca2"), {AXES: np.zeros((4, 2), np.int32)}),
        (("pca2",), {AXES: np.zeros((4, 3), np.int32)}),
        (("pca2",), {AXES: np.zeros(4, np.int32)}),
    ],
)
def test_stored_arrays_that_do_not_fit_are_refused(steps, kept):
    with pytest.raises(UsageError, match="does not fit the steps|stored axes have the shape"):
        restore(steps, kept)


def test_what_steps_learned_counts_for_a_fingerprint_and_a_recipe_without_it_is_what_it_was():
    plain = Recipe(
        reading=Reading(weights="w", tokenizer="t"),
        layer=3,
        pooling="mean",
        steps=("pca8",),
        codec="int8",
        calibration="c",
        reduction="r",
    )
    other = Recipe(
        reading=Reading(weights="w", tokenizer="t"),
        layer=3,
        pooling="mean",
        steps=("pca8",),
        codec="int8",
        calibration="c",
        reduction="s",
    )
    assert plain.fingerprint != other.fingerprint
    assert plain.source != other.source
    assert (
        plain.source
        == Recipe(
            reading=Reading(weights="w", tokenizer="t"),
            layer=3,
            pooling="mean",
            steps=("pca8",),
            codec="binary",
            calibration="d",
            reduction="r",
        ).source
    )
    assert (
        "reduction"
        not in Recipe(
            reading=Reading(weights="w", tokenizer="t"),
            layer=3,
            pooling="mean",
            steps=(),
            codec="int8",
            calibration="c",
        ).fields()
    )
    assert plain.fields()["reduction"] == "r"


def test_steps_are_parted_into_what_the_encoder_takes_and_what_follows():
    for spec, taken, later in (
        ("e/6/mean+unit+pca64+unit", ("unit",), ("pca64", "unit")),
        ("e/6/mean+pca64+unit", (), ("pca64", "unit")),
        ("e/6/mean+unit", ("unit",), ()),
        ("e/6/mean", (), ()),
        ("e/6/states+first8", ("first8",), ()),
    ):
        name = ColumnName.parse(spec)
        assert (name.taken, name.later) == (taken, later)
