"""Decisions lean towards what is rare where that pays on held-back rows, and nowhere else."""

import numpy as np
from sklearn.metrics import f1_score

from embank.heads.thresholds import multi_offsets, single_offsets


def logits_of(shares, clarity, texts=3000, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.choice(len(shares), size=texts, p=shares)
    evidence = rng.normal(size=(texts, len(shares))) + clarity * np.eye(len(shares))[truth]
    return clarity * evidence + np.log(shares), truth


def test_nothing_leans_where_classes_are_equally_common():
    assert single_offsets(*logits_of([0.5, 0.5], 1.0)) == (0.0, 0.0)


def test_nothing_leans_where_classes_are_clear():
    assert single_offsets(*logits_of([0.9, 0.1], 6.0)) == (0.0, 0.0)


def test_a_rare_class_is_decided_more_often_where_classes_overlap():
    logits, truth = logits_of([0.9, 0.1], 1.0)
    offsets = single_offsets(logits, truth)
    assert offsets[1] > 0 > offsets[0]
    other, other_truth = logits_of([0.9, 0.1], 1.0, seed=1)
    plain = f1_score(other_truth, other.argmax(axis=1), average="macro")
    leaning = f1_score(other_truth, (other + np.array(offsets)).argmax(axis=1), average="macro")
    assert leaning > plain + 0.03


def test_each_label_of_many_leans_alone():
    rare, truth = logits_of([0.9, 0.1], 1.0)
    even, other = logits_of([0.5, 0.5], 3.0)
    logits = np.stack([rare[:, 1] - rare[:, 0], even[:, 1] - even[:, 0]], axis=1)
    offsets = multi_offsets(logits, np.stack([truth, other], axis=1))
    assert offsets[0] > 0
    assert offsets[1] == 0.0


def test_a_label_that_never_applies_does_not_lean():
    assert multi_offsets(np.full((10, 1), -3.0), np.zeros((10, 1))) == (0.0,)
