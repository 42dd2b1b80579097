"""Rotations: principal axes, shrinking, and random ones."""

import numpy as np
import pytest

from embank.linalg.rotations import principal_axes, random_rotation, shrunk_covariance


def test_the_strongest_axis_is_where_the_sample_varies_most():
    random = np.random.default_rng(0)
    direction = np.array([3.0, 4.0, 0.0]) / 5
    sample = random.normal(size=(5000, 1)) * 10 * direction + random.normal(size=(5000, 3))
    axes = principal_axes(sample)
    np.testing.assert_allclose(axes.directions[:, 0], direction, atol=0.02)
    assert axes.variances[0] == pytest.approx(101, rel=0.1)


def test_axes_are_orthonormal_and_ordered():
    axes = principal_axes(np.random.default_rng(0).normal(size=(20, 30)))
    np.testing.assert_allclose(axes.directions.T @ axes.directions, np.eye(30), atol=1e-10)
    assert (np.diff(axes.variances) <= 0).all()
    assert (axes.variances >= 0).all()


def test_a_large_sample_is_hardly_shrunk_and_a_small_one_a_lot():
    random = np.random.default_rng(0)
    spread = np.geomspace(4, 0.25, 20)
    large, small = (random.normal(size=(texts, 20)) * np.sqrt(spread) for texts in (20_000, 10))
    np.testing.assert_allclose(np.diag(shrunk_covariance(large)), spread, rtol=0.1)
    assert np.linalg.eigvalsh(np.cov(small.T))[0] < 1e-9
    assert np.linalg.eigvalsh(shrunk_covariance(small))[0] > 0.05


def test_shrinking_agrees_with_scikit_learn():
    covariance = pytest.importorskip("sklearn.covariance")
    sample = np.random.default_rng(0).normal(size=(50, 20)) * np.geomspace(3, 0.1, 20)
    expected, _ = covariance.ledoit_wolf(sample)
    np.testing.assert_allclose(shrunk_covariance(sample), expected, atol=1e-10)


def test_one_text_has_no_variance():
    assert (shrunk_covariance(np.ones((1, 4))) == 0).all()


def test_random_rotations_keep_lengths_and_come_back_with_their_seed():
    rotation = random_rotation(17, 3)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(17), atol=1e-12)
    np.testing.assert_array_equal(rotation, random_rotation(17, 3))
    assert not np.allclose(rotation, random_rotation(17, 4))
