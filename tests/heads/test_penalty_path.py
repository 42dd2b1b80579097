"""The path of penalties: it stops in time, and folds solved one by one give what they give together."""

import numpy as np
import pytest

from embank.errors import HeadError
from embank.heads import penalty_path
from embank.heads.logistic import LogisticHead
from embank.heads.multilabel import MultiLabelHead
from embank.heads.spectrum import spectrum


def problem(texts=200, width=30):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(texts, width)).astype(np.float32)
    return X, (X[:, :3] + rng.gumbel(size=(texts, 3))).argmax(axis=1)


def test_the_path_stops_after_the_loss_has_risen_twice():
    head = LogisticHead().fit(*problem())
    tried = list(head.penalty_losses_)
    assert tried == sorted(tried, reverse=True)
    assert len(tried) == tried.index(head.penalty_) + 1 + penalty_path.PATIENCE


def test_the_order_of_penalties_does_not_matter():
    X, y = problem()
    one, other = (LogisticHead(penalties=given).fit(X, y) for given in ((0.1, 1.0, 0.01), (1.0, 0.1, 0.01)))
    np.testing.assert_array_equal(one.coef_, other.coef_)


@pytest.mark.parametrize("family", [LogisticHead, MultiLabelHead])
def test_folds_solved_one_by_one_give_what_they_give_together(monkeypatch, family):
    X, y = problem()
    labels = np.eye(3, dtype=int)[y] if family is MultiLabelHead else y
    together = family().fit(X, labels)
    monkeypatch.setattr(penalty_path, "TOGETHER", 0)
    alone = family().fit(X, labels)
    assert alone.penalty_ == together.penalty_
    np.testing.assert_allclose(alone.held_back_, together.held_back_, atol=0.1)
    np.testing.assert_allclose(alone.coef_, together.coef_, atol=5e-3)


@pytest.mark.parametrize("penalties", [(), (1.0, 0.0), (-1.0,)])
def test_penalties_that_are_not_positive_are_refused(penalties):
    with pytest.raises(HeadError, match="penalties"):
        LogisticHead(penalties=penalties).fit(*problem())


def test_labels_of_several_types_are_refused():
    X, _ = problem(4)
    with pytest.raises(HeadError, match="several types"):
        LogisticHead().fit(X, np.array(["a", None, "b", 1.0], dtype=object))


@pytest.mark.parametrize(("texts", "width"), [(50, 7), (7, 50)])
def test_a_spectrum_turns_rows_into_uncorrelated_coordinates_and_back(texts, width):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(texts, width)) @ rng.normal(size=(width, width)) + 5).astype(np.float32)
    found = spectrum(X)
    covariance = found.rows.T @ found.rows / texts
    np.testing.assert_allclose(covariance, np.diag(found.variances), atol=1e-3)
    weights, bias = rng.normal(size=(found.rank, 2)), rng.normal(size=2)
    layer = found.unfold(weights, bias)
    np.testing.assert_allclose(X @ layer.weights + layer.bias, found.rows @ weights + bias, atol=1e-3)
