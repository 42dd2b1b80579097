"""Logistic heads find scikit-learn's solution, choose a sensible penalty, and bear awkward labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from embank.errors import HeadError
from embank.heads.logistic import LogisticHead
from embank.heads.multilabel import MultiLabelHead
from embank.metrics.classification import measures


def problem(texts, width, classes, seed=0):
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(texts, width)) @ rng.normal(size=(width, width)) + 2).astype(np.float32)
    logits = X @ rng.normal(size=(width, classes)) / width + rng.normal(size=classes) * 0.5
    return X, (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)


def centred(logits):
    return logits - logits.mean(axis=1, keepdims=True) if logits.ndim > 1 else logits


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("penalty", [1.0, 0.1, 0.003])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_it_finds_the_solution_of_scikit_learn(classes, penalty, class_weight):
    X, y = problem(300, 20, classes)
    head = LogisticHead(penalties=(penalty,), class_weight=class_weight).fit(X, y)
    scaler = StandardScaler().fit(X.astype(np.float64))
    theirs = LogisticRegression(C=1 / (penalty * len(X)), class_weight=class_weight, tol=1e-8, max_iter=5000)
    theirs.fit(scaler.transform(X.astype(np.float64)), y)
    expected = centred(theirs.decision_function(scaler.transform(X.astype(np.float64))))
    np.testing.assert_allclose(centred(head.decision_function(X)), expected, atol=0.02 * np.abs(expected).max())


def test_fewer_rows_than_columns_have_the_same_solution_as_in_scikit_learn():
    X, y = problem(60, 200, 3)
    head = LogisticHead(penalties=(0.05,)).fit(X, y)
    scaler = StandardScaler().fit(X.astype(np.float64))
    theirs = LogisticRegression(C=1 / (0.05 * 60), tol=1e-8, max_iter=5000)
    theirs.fit(scaler.transform(X.astype(np.float64)), y)
    expected = centred(theirs.decision_function(scaler.transform(X.astype(np.float64))))
    np.testing.assert_allclose(centred(head.decision_function(X)), expected, atol=0.02)


def test_many_labels_are_as_many_separate_logistic_regressions():
    X, _ = problem(300, 12, 2)
    Y = np.stack([problem(300, 12, 2, seed)[1] for seed in (0, 0, 3)], axis=1)
    head = MultiLabelHead(penalties=(0.05,), thresholds="plain").fit(X, Y)
    for label in range(3):
        alone = LogisticHead(penalties=(0.05,)).fit(X, Y[:, label])
        np.testing.assert_allclose(head.decision_function(X)[:, label], alone.decision_function(X), atol=5e-3)


def test_noise_is_given_a_stronger_penalty_than_signal():
    X, y = problem(400, 20, 3)
    noise = np.random.default_rng(5).integers(0, 3, 400)
    assert LogisticHead().fit(X, noise).penalty_ > LogisticHead().fit(X, y).penalty_


def test_held_back_logits_are_worse_than_those_of_rows_trained_on():
    X, y = problem(150, 60, 3)
    head = LogisticHead(penalties=(0.001,)).fit(X, y)
    assert (head.held_back_.argmax(axis=1) == y).mean() < (head.decision_function(X).argmax(axis=1) == y).mean()


def test_classes_of_one_example_do_not_stop_a_fit():
    X, y = problem(100, 10, 3)
    y[:2] = (8, 9)
    head = LogisticHead().fit(X, y)
    assert head.classes_.tolist() == [0, 1, 2, 8, 9]
    assert np.isnan(head.held_back_[:2]).all()
    assert np.isfinite(head.held_back_[2:]).all()


def test_two_examples_of_two_classes_are_enough():
    X = np.eye(2, dtype=np.float32)
    head = LogisticHead().fit(X, ["left", "right"])
    assert head.predict(X).tolist() == ["left", "right"]


def test_150_classes_of_two_examples_each_can_be_fitted():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(150, 32)) * 3
    y = np.repeat(np.arange(150), 2)
    X = (centres[y] + rng.normal(size=(300, 32)) * 0.3).astype(np.float32)
    assert (LogisticHead(penalties=(0.1, 0.01)).fit(X, y).predict(X) == y).mean() > 0.95


def test_leaning_raises_macro_f1_where_a_class_is_rare_and_leaves_probabilities_alone():
    rng = np.random.default_rng(0)
    y = (rng.random(1200) < 0.1).astype(int)
    X = (rng.normal(size=(1200, 5)) + 1.2 * y[:, None] * np.array([1, 0, 0, 0, 0])).astype(np.float32)
    leaning = LogisticHead().fit(X[:600], y[:600])
    probable = LogisticHead(thresholds="plain").fit(X[:600], y[:600])
    scores = [measures(y[600:], head.predict(X[600:]), "single")["macro_f1"] for head in (leaning, probable)]
    assert scores[0] > scores[1] + 0.05
    np.testing.assert_array_equal(leaning.predict_proba(X), probable.predict_proba(X))


def test_labels_of_multi_that_always_or_never_apply_are_learnt_as_that():
    X, y = problem(80, 6, 2)
    Y = np.stack([y, np.ones(80), np.zeros(80)], axis=1)
    predicted = MultiLabelHead().fit(X, Y).predict(X)
    assert predicted[:, 1].all()
    assert not predicted[:, 2].any()


def test_unknown_class_weights_are_refused():
    X, y = problem(40, 4, 2)
    with pytest.raises(HeadError, match="class_weight"):
        LogisticHead(class_weight="other").fit(X, y)
    with pytest.raises(HeadError, match="class_weight"):
        MultiLabelHead(class_weight="other").fit(X, y[:, None])


@settings(max_examples=settings.default.max_examples // 4, deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=30).filter(lambda found: len(set(found)) > 1),
    width=st.integers(1, 40),
    scale=st.sampled_from([1e-4, 1.0, 1e4]),
)
def test_any_labels_and_any_scale_give_finite_probabilities(labels, width, scale):
    X = (np.random.default_rng(0).normal(size=(len(labels), width)) * scale).astype(np.float32)
    head = LogisticHead(penalties=(1.0, 0.1)).fit(X, labels)
    assert np.isfinite(head.predict_proba(X)).all()
    assert set(head.predict(X)) <= set(labels)
