"""A served head is a plain value: it multiplies, decides, and refuses parts that do not fit."""

import numpy as np
import pytest

from embank.errors import HeadError
from embank.heads import Affine
from embank.heads.served import ServedHead


def affine(width=3, outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    return Affine(rng.normal(size=(width, outputs)).astype(np.float32), rng.normal(size=outputs).astype(np.float32))


def vectors(texts=5, width=3):
    return np.random.default_rng(1).normal(size=(texts, width)).astype(np.float32)


def test_one_layer_is_one_matrix_product():
    layer = affine()
    head = ServedHead(kind="single", labels=("no", "yes"), layers=(layer,))
    np.testing.assert_array_equal(head.outputs(vectors()), vectors() @ layer.weights + layer.bias)
    assert head.outputs(vectors()).dtype == np.float32


def test_two_layers_have_a_relu_between_them():
    first, second = affine(outputs=4), affine(width=4)
    head = ServedHead(kind="single", labels=("no", "yes"), layers=(first, second))
    hidden = np.maximum(vectors() @ first.weights + first.bias, 0)
    np.testing.assert_allclose(head.outputs(vectors()), hidden @ second.weights + second.bias, rtol=1e-6)


def test_probabilities_of_a_single_head_sum_to_one():
    head = ServedHead(kind="single", labels=("no", "yes"), layers=(affine(),), temperature=2.0)
    probabilities = head.probabilities(head.outputs(vectors()))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert probabilities.dtype == np.float32


def test_a_higher_temperature_is_less_sure_and_decides_the_same():
    warm = ServedHead(kind="single", labels=("no", "yes"), layers=(affine(),), temperature=5.0)
    cool = ServedHead(kind="single", labels=("no", "yes"), layers=(affine(),))
    outputs = cool.outputs(vectors())
    assert (warm.probabilities(outputs).max(axis=1) < cool.probabilities(outputs).max(axis=1)).all()
    np.testing.assert_array_equal(warm.decide(outputs), cool.decide(outputs))


def test_a_multi_head_has_a_sigmoid_for_each_label():
    head = ServedHead(kind="multi", labels=("a", "b"), layers=(affine(),))
    outputs = np.array([[0.0, 2.0]], dtype=np.float32)
    np.testing.assert_allclose(head.probabilities(outputs), [[0.5, 1 / (1 + np.exp(-2.0))]], rtol=1e-6)
    np.testing.assert_array_equal(head.decide(outputs), [[0, 1]])


def test_offsets_change_decisions_and_leave_probabilities_alone():
    plain = ServedHead(kind="single", labels=("common", "rare"), layers=(affine(),))
    leaning = ServedHead(kind="single", labels=("common", "rare"), layers=(affine(),), offsets=(0.0, 1.0))
    outputs = np.array([[0.5, 0.0]], dtype=np.float32)
    assert plain.decide(outputs).tolist() == [0]
    assert leaning.decide(outputs).tolist() == [1]
    np.testing.assert_array_equal(plain.probabilities(outputs), leaning.probabilities(outputs))


def test_a_regression_decides_numbers_and_has_no_probabilities():
    head = ServedHead(kind="regression", labels=(), layers=(affine(outputs=1),))
    outputs = head.outputs(vectors())
    np.testing.assert_array_equal(head.decide(outputs), outputs[:, 0])
    with pytest.raises(HeadError, match="regression"):
        head.probabilities(outputs)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"kind": "other"}, "kind 'other'"),
        ({"labels": ("a",)}, "1 labels"),
        ({"labels": ("a", "b", "c")}, "3 labels and 2 outputs"),
        ({"labels": ("a", "a")}, "twice"),
        ({"layers": ()}, "0 layers"),
        ({"layers": (affine(outputs=4), affine(width=5))}, "first layer with 4"),
        ({"temperature": 0.0}, "temperature 0.0"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"offsets": (1.0,)}, "1 offsets"),
        ({"kind": "regression", "labels": ("a", "b")}, "regression"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts, message):
    whole = {"kind": "single", "labels": ("a", "b"), "layers": (affine(),)} | parts
    with pytest.raises(HeadError, match=message):
        ServedHead(**whole)


@pytest.mark.parametrize(
    ("weights", "bias"),
    [
        (np.zeros((3, 2), np.float32), np.zeros(3, np.float32)),
        (np.zeros(3, np.float32), np.zeros(1, np.float32)),
        (np.zeros((3, 2)), np.zeros(2, np.float32)),
        (np.full((3, 2), np.nan, np.float32), np.zeros(2, np.float32)),
    ],
)
def test_weights_that_cannot_be_multiplied_are_refused(weights, bias):
    with pytest.raises(HeadError, match="expected"):
        Affine(weights, bias)


def test_vectors_of_another_width_are_refused():
    head = ServedHead(kind="single", labels=("a", "b"), layers=(affine(),))
    with pytest.raises(HeadError, match=r"expected \[texts, 3\]"):
        head.outputs(vectors(width=4))
