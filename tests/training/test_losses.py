"""Losses by kind: those of torch, of what is labelled alone."""

import pytest
import torch

from embank.errors import UsageError
from embank.labels.tags import IGNORED
from embank.training.losses import class_loss, span_loss, tagging_loss
from material.families import inputs

SINGLE = torch.tensor([0, 2, 1])


def test_losses_are_those_of_torch():
    torch.manual_seed(0)
    functions = torch.nn.functional
    logits = torch.randn(3, 3)
    assert class_loss("single", logits, SINGLE) == functions.cross_entropy(logits, SINGLE)
    multi = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0]])
    assert class_loss("multi", logits, multi) == functions.binary_cross_entropy_with_logits(logits, multi.float())
    numbers = torch.randn(3, 1)
    found = class_loss("regression", numbers, torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(found, ((numbers[:, 0] - torch.tensor([1.0, 2.0, 3.0])) ** 2).mean())
    assert class_loss("single", logits.bfloat16(), SINGLE).dtype == torch.float32


def test_tokens_outside_the_mask_or_without_a_label_do_not_count():
    torch.manual_seed(0)
    _, mask = inputs()
    logits = torch.randn(3, 9, 3, requires_grad=True)
    targets = (torch.arange(27).view(3, 9) % 3).masked_fill(mask == 0, IGNORED)
    targets[:, 0] = IGNORED
    counted = targets != IGNORED
    found = tagging_loss(logits, targets)
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(logits[counted], targets[counted]))
    nothing = tagging_loss(logits, torch.full_like(targets, IGNORED))
    nothing.backward()
    assert float(nothing.detach()) == 0.0
    assert not logits.grad.any()


def test_a_span_is_sought_among_the_places_that_are_allowed():
    torch.manual_seed(0)
    logits = torch.randn(3, 9, 2, requires_grad=True)
    allowed = torch.ones(3, 9, dtype=torch.long)
    allowed[0, 5:] = 0
    allowed[2] = 0  # nowhere: a text without an answer in it
    targets = torch.tensor([[1, 4], [0, 8], [IGNORED, IGNORED]])
    found = span_loss(logits, targets, allowed)
    places = torch.log_softmax(logits[0, :5], 0), torch.log_softmax(logits[1], 0)
    right = -(places[0][1, 0] + places[0][4, 1] + places[1][0, 0] + places[1][8, 1]) / 2
    torch.testing.assert_close(found, right)
    found.backward()
    assert logits.grad.isfinite().all()
    assert not logits.grad[0, 5:].any()
    assert torch.isinf(span_loss(logits, torch.tensor([[7, 7], [0, 8], [IGNORED, IGNORED]]), allowed))


def test_a_loss_of_an_unknown_kind_is_refused():
    with pytest.raises(UsageError, match="unknown kind 'ranking'"):
        class_loss("ranking", torch.zeros(1, 2), torch.zeros(1))
