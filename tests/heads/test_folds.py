"""Folds are decided by content and class: order does not matter, twins stay together, singles are never held back."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embank.heads.folds import assign_folds, rarest, training_weights


def rows(texts, seed=0):
    return np.random.default_rng(seed).normal(size=(texts, 4)).astype(np.float32)


@settings(max_examples=settings.default.max_examples // 2, deadline=None)
@given(strata=st.lists(st.integers(0, 3), min_size=1, max_size=60), seed=st.integers(0, 100))
def test_shuffled_rows_are_dealt_to_the_same_folds(strata, seed):
    X, classes = rows(len(strata)), np.array(strata)
    order = np.random.default_rng(seed).permutation(len(strata))
    np.testing.assert_array_equal(assign_folds(X, classes, 5)[order], assign_folds(X[order], classes[order], 5))


@settings(max_examples=settings.default.max_examples // 2, deadline=None)
@given(strata=st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_every_class_is_spread_evenly_and_singles_are_never_held_back(strata):
    classes = np.array(strata)
    fold = assign_folds(rows(len(strata)), classes, 5)
    for stratum in np.unique(classes):
        members = fold[classes == stratum]
        if len(members) == 1:
            assert members.tolist() == [-1]
            continue
        counts = np.bincount(members, minlength=5)
        assert counts.max() - counts.min() <= 1


def test_equal_rows_share_a_fold():
    X = rows(40)
    fold = assign_folds(np.vstack([X, X]), np.zeros(80, int), 5)
    np.testing.assert_array_equal(fold[:40], fold[40:])


def test_training_weights_leave_out_one_fold_and_sum_to_one():
    fold = np.array([0, 1, 0, 1, -1])
    weights = training_weights(fold, np.ones((1, 5), np.float32), 2)
    np.testing.assert_allclose(weights.sum(axis=-1), 1)
    np.testing.assert_array_equal(weights[:, 0] > 0, [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]])


def test_the_stratum_of_many_labels_is_the_rarest():
    Y = np.array([[1, 1], [1, 0], [1, 0], [0, 0]], dtype=np.float32)
    assert rarest(Y).tolist() == [1, 0, 0, 2]
