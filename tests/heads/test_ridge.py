"""Ridge heads: leave-one-out in closed form is leave-one-out by brute force."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from embank.errors import HeadError
from embank.heads.ridge import RidgeHead, leave_one_out
from embank.heads.spectrum import spectrum


def problem(texts, width):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(texts, width)) @ rng.normal(size=(width, width)) + 1).astype(np.float32)
    return X, X @ rng.normal(size=width) + rng.normal(size=texts) + 40


@pytest.mark.parametrize(("texts", "width"), [(30, 8), (12, 40)])
@pytest.mark.parametrize("penalty", [3.0, 0.1])
def test_leave_one_out_is_what_brute_force_finds(texts, width, penalty):
    X, y = problem(texts, width)
    found = leave_one_out(spectrum(X), y[:, None], penalty)[:, 0]
    scaled = StandardScaler().fit_transform(X.astype(np.float64))
    expected = []
    for row in range(texts):
        rest = np.arange(texts) != row
        model = Ridge(alpha=penalty * texts).fit(scaled[rest], y[rest])
        expected.append(model.predict(scaled[[row]])[0])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(y).max())


def test_it_finds_the_solution_of_scikit_learn():
    X, y = problem(100, 10)
    head = RidgeHead(penalties=(0.5,)).fit(X, y)
    scaler = StandardScaler().fit(X.astype(np.float64))
    theirs = Ridge(alpha=0.5 * 100).fit(scaler.transform(X.astype(np.float64)), y)
    np.testing.assert_allclose(head.predict(X), theirs.predict(scaler.transform(X.astype(np.float64))), rtol=1e-4)


def test_the_penalty_with_the_least_loss_is_taken():
    X, y = problem(60, 30)
    head = RidgeHead().fit(X, y)
    assert head.penalty_losses_[head.penalty_] == min(head.penalty_losses_.values())
    assert head.penalty_ == min(head.penalty_losses_, key=head.penalty_losses_.get)


def test_a_constant_target_is_predicted():
    X, _ = problem(20, 5)
    np.testing.assert_allclose(RidgeHead().fit(X, np.full(20, 3.0)).predict(X), 3.0, atol=1e-4)


def test_one_row_is_refused():
    with pytest.raises(HeadError, match="one row only"):
        RidgeHead().fit(np.ones((1, 3)), [1.0])
