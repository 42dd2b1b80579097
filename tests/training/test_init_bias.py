"""What output layers begin as: the shares of the labels, so that rare ones need no large steps."""

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from embank.training.objectives import PooledObjective, init_bias
from embank.training.token_objectives import SpanObjective, TaggingObjective

EVERY = np.arange(4)


def test_several_labels_begin_with_their_odds():
    y = np.array([[1, 0], [1, 0], [0, 0], [0, 1]])
    objective = PooledObjective(kind="multi", y=y, labels=("a", "b"), train=EVERY)
    np.testing.assert_allclose(expit(objective.init_bias(np.arange(3))), [3 / 5, 1 / 5], rtol=1e-6)


def test_numbers_begin_at_their_mean_which_is_zero_and_classes_alike():
    assert PooledObjective(kind="regression", y=np.arange(4.0), labels=(), train=EVERY).init_bias(EVERY) is None
    assert (
        PooledObjective(kind="single", y=np.array(["a", "b", "a", "a"]), labels=("a", "b"), train=EVERY).init_bias(
            EVERY
        )
        is None
    )


def test_tags_begin_with_their_shares_of_words_and_not_of_tokens():
    # the second word has two tokens, the first token of a text none
    words = [np.array([-1, 0, 1, 1, 2], np.int32), np.array([-1, 0], np.int32), np.array([-1, 0], np.int32)]
    tags = [["O", "B-x", "O"], ["O"], ["B-x"]]
    objective = TaggingObjective(tags, ("B-x", "O"), words)
    np.testing.assert_allclose(softmax(objective.init_bias(np.array([0, 1]))), [2 / 6, 4 / 6], rtol=1e-6)


def test_a_span_begins_anywhere():
    assert SpanObjective(answers=[], texts=[], places=[]).init_bias(EVERY[:0]) is None


@pytest.mark.parametrize("bias", [None, np.array([0.5, -1.0], np.float32)])
def test_a_beginning_is_the_bias_and_nothing_else(bias):
    output = torch.nn.Linear(3, 2)
    weight, before = output.weight.detach().clone(), output.bias.detach().clone()
    init_bias(output, bias)
    assert torch.equal(output.weight, weight)
    assert torch.equal(output.bias, before if bias is None else torch.from_numpy(bias))
    assert output.bias.requires_grad
