"""The contract of estimators: what every one of them keeps, whatever it predicts."""

import numpy as np
import pytest
from sklearn.base import clone

from embank.errors import HeadError
from embank.heads.logistic import LogisticHead
from embank.heads.mlp import MLPHead
from embank.heads.multilabel import MultiLabelHead
from embank.heads.ridge import RidgeHead
from embank.heads.served import ServedHead


def rows(texts=160, width=12, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(texts, width)) * rng.uniform(0.1, 5, width) + rng.normal(size=width)).astype(np.float32)


def two(X):
    return np.where(X[:, 0] / X[:, 0].std() > X[:, 1] / X[:, 1].std(), "yes", "no")


def three(X):
    return np.array(["a", "b", "c"])[(X[:, :3] / X.std(axis=0)[:3]).argmax(axis=1)]


def many(X):
    return (X[:, :3] > X.mean(axis=0)[:3]).astype(np.int64)


def number(X):
    return 3.0 * X[:, 0] - X[:, 2] + 7.0


CASES = {
    "logistic of two": (LogisticHead(), two, ("no", "yes")),
    "logistic of three": (LogisticHead(), three, ("a", "b", "c")),
    "logistic balanced": (LogisticHead(class_weight="balanced"), three, ("a", "b", "c")),
    "many labels": (MultiLabelHead(), many, ("x", "y", "z")),
    "many labels balanced": (MultiLabelHead(class_weight="balanced"), many, ("x", "y", "z")),
    "ridge": (RidgeHead(), number, ()),
    "perceptron of two": (MLPHead(hidden=16, rounds=300), two, ("no", "yes")),
    "perceptron of three": (MLPHead(hidden=16, rounds=300), three, ("a", "b", "c")),
    "perceptron of many labels": (MLPHead(kind="multi", hidden=16, rounds=300), many, ("x", "y", "z")),
    "perceptron of numbers": (MLPHead(kind="regression", hidden=16, rounds=300), number, ()),
}


@pytest.fixture(params=CASES, scope="module")
def case(request):
    estimator, label, names = CASES[request.param]
    X = rows()
    return clone(estimator).fit(X, label(X)), X, label(X), names


def is_ordered(estimator):
    return not isinstance(estimator, MLPHead)


def test_a_clone_has_the_same_parameters_and_is_not_fitted(case):
    estimator = case[0]
    copy = clone(estimator)
    assert copy.get_params() == estimator.get_params()
    assert not hasattr(copy, "n_features_in_")


def test_fit_returns_the_estimator_and_leaves_its_parameters_and_rows_alone(case):
    estimator, X, y, _ = case
    copy, before, parameters = clone(estimator), X.copy(), estimator.get_params()
    assert copy.fit(X, y) is copy
    assert copy.get_params() == parameters
    np.testing.assert_array_equal(X, before)


def test_predictions_have_the_shape_and_values_of_the_labels(case):
    estimator, X, y, _ = case
    predicted = estimator.predict(X[:7])
    assert predicted.shape == y[:7].shape
    if y.dtype.kind != "f":
        assert set(np.unique(predicted)) <= set(np.unique(y))


def test_it_learns_what_can_be_learnt(case):
    estimator, X, y, _ = case
    predicted = estimator.predict(X)
    if y.dtype.kind == "f":
        assert np.corrcoef(predicted, y)[0, 1] > 0.85
    else:
        assert (predicted == y).mean() > 0.85


def test_probabilities_lie_between_0_and_1_and_sum_to_1_where_one_label_is_chosen(case):
    estimator, X, y, names = case
    if not names:
        pytest.skip("numbers have no probabilities")
    probabilities = estimator.predict_proba(X)
    assert probabilities.shape == (len(X), len(names))
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    if y.ndim == 1:
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_one_row_alone_is_predicted_as_in_a_batch(case):
    estimator, X, _, names = case
    whole = estimator.predict_proba(X) if names else estimator.predict(X)
    alone = estimator.predict_proba(X[5:6]) if names else estimator.predict(X[5:6])
    np.testing.assert_allclose(alone[0], whole[5], atol=1e-5, rtol=1e-5)


def test_the_order_of_rows_does_not_matter(case):
    estimator, X, y, names = case
    if not is_ordered(estimator):
        pytest.skip("a perceptron is trained in batches")
    order = np.random.default_rng(3).permutation(len(X))
    other = clone(estimator).fit(X[order], y[order])
    assert other.penalty_ == estimator.penalty_
    found = other.predict_proba(X) if names else other.predict(X)
    expected = estimator.predict_proba(X) if names else estimator.predict(X)
    np.testing.assert_allclose(found, expected, atol=5e-3, rtol=1e-3)


def test_fitting_twice_gives_the_same(case):
    estimator, X, y, _ = case
    np.testing.assert_array_equal(clone(estimator).fit(X, y).predict(X), estimator.predict(X))


def test_a_served_head_predicts_what_the_estimator_predicts(case):
    estimator, X, y, names = case
    served = estimator.serve(names)
    assert isinstance(served, ServedHead)
    assert served.labels == names
    assert len(served.layers) == (2 if isinstance(estimator, MLPHead) else 1)
    outputs = served.outputs(X)
    decided = served.decide(outputs)
    expected = estimator.predict(X)
    if y.ndim == 1 and names:
        decided = np.array(names)[decided]
    np.testing.assert_array_equal(decided, expected)
    if names:
        np.testing.assert_allclose(served.probabilities(outputs), estimator.predict_proba(X), atol=1e-6)


def test_float16_and_lists_are_read_as_float32_rows(case):
    estimator, X, _, _ = case
    rounded = X.astype(np.float16)
    np.testing.assert_array_equal(estimator.predict(rounded), estimator.predict(rounded.astype(np.float32)))
    np.testing.assert_array_equal(estimator.predict(X[:3].tolist()), estimator.predict(X[:3]))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_refused(case, bad):
    estimator, X, y, _ = case
    broken = X.copy()
    broken[17, 3] = bad
    with pytest.raises(HeadError, match="row 17"):
        clone(estimator).fit(broken, y)
    with pytest.raises(HeadError, match="row 17"):
        estimator.predict(broken)


def test_rows_of_another_shape_are_refused(case):
    estimator, X, y, _ = case
    with pytest.raises(HeadError, match="width 11"):
        estimator.predict(X[:, :11])
    with pytest.raises(HeadError, match="expected"):
        clone(estimator).fit(X, y[:-1])
    with pytest.raises(HeadError, match="texts, width"):
        clone(estimator).fit(X[:, 0], y)


def test_a_column_that_never_varies_does_no_harm(case):
    estimator, X, y, _ = case
    constant = np.full((len(X), 1), 1234.5, dtype=np.float32)
    fitted = clone(estimator).fit(np.hstack([X, constant]), y)
    assert np.isfinite(fitted.serve(case[3]).layers[0].weights).all()


@pytest.mark.parametrize("estimator", [LogisticHead(), MLPHead()])
def test_one_class_only_is_refused_with_its_name(estimator):
    with pytest.raises(HeadError, match="one class only"):
        estimator.fit(rows(20), ["spam"] * 20)


@pytest.mark.parametrize("kind", ["multi", "regression"])
def test_labels_of_the_wrong_kind_are_refused(kind):
    X = rows(20)
    estimators = {"multi": MultiLabelHead(), "regression": RidgeHead()}
    for estimator in (estimators[kind], MLPHead(kind=kind)):
        with pytest.raises(HeadError, match="expected"):
            estimator.fit(X, ["word"] * 20)
