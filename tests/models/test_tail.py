"""Tails as modules: what they give, what they train, and that frozen means frozen."""

import copy

import numpy as np
import pytest
import torch

from embank.encoders.architectures import ANATOMY
from embank.encoders.pooling import pool as pooled
from embank.errors import UsageError
from embank.labels.kinds import KINDS
from embank.labels.tags import IGNORED
from embank.models.tail import build_tail
from embank.models.tail_settings import METHODS, TailDesign, TailOptions
from embank.training.losses import class_loss, span_loss, tagging_loss
from material.families import LAYERS, WHOLE, all_states, inputs, run, tiny


def tail_of(family="bert", seed=1, **design):
    """A tail, by default of one text in three classes."""
    options = TailOptions(**design.pop("options", {}))
    chosen = {"cut": 2, "method": "full", "kind": "single", "outputs": 3, **design}
    if chosen["method"] == "lora":
        pytest.importorskip("peft")
    return build_tail(tiny(family), LAYERS, TailDesign(**chosen, options=options), seed)


def batch_of(family, cut=2):
    ids, mask = inputs()
    return all_states(tiny(family), ids, mask)[cut], mask


def targets_of(kind):
    """Targets of three texts of up to nine tokens, for three outputs (two for a span)."""
    return {
        "single": torch.tensor([0, 2, 1]),
        "multi": torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0]]),
        "regression": torch.tensor([[0.5, 1.0, -1.0], [2.0, 0.0, 0.1], [0.3, 0.2, 0.1]]),
        "tagging": torch.arange(27).view(3, 9) % 3,
        "span": torch.tensor([[1, 4], [0, 3], [2, 2]]),
    }[kind]


def loss(kind, logits, mask):
    """The loss of a kind on `targets_of`; tokens outside the mask bear no label."""
    targets = targets_of(kind)
    if kind == "tagging":
        return tagging_loss(logits, targets.masked_fill(mask == 0, IGNORED))
    return span_loss(logits, targets, mask) if kind == "span" else class_loss(kind, logits, targets)


@pytest.mark.parametrize("family", WHOLE)
def test_training_from_cached_states_equals_training_above_live_frozen_layers_step_by_step(family):
    ids, mask = inputs()
    targets = targets_of("single")
    tail = tail_of(family)
    # The other way: the whole model, run from its tokens at every step.
    whole = tiny(family)
    anatomy = ANATOMY[family]
    layers = whole.get_submodule(anatomy.layers)
    named = dict(whole.named_parameters())
    live = {name: named[name.removeprefix("upper.")] for name in tail.trainable() if name.startswith("upper.")}
    whole.requires_grad_(requires_grad=False)
    for parameter in live.values():
        parameter.requires_grad = True
    output = copy.deepcopy(tail.output)
    frozen = {name: value.clone() for name, value in named.items() if not value.requires_grad}

    def live_logits():
        whole.eval()
        for layer in layers[2:]:
            layer.train()
        vectors = pooled(run(whole, ids, mask), mask, "mean")
        return output(torch.nn.functional.dropout(vectors, 0.1, training=True))

    # The states are computed once, before any step: if anything below the cut moved, the two ways would part.
    states = all_states(tiny(family), ids, mask)[2]
    ways = {
        "live": (live_logits, [*live.values(), *output.parameters()]),
        "cached": (lambda: tail.train()(states, mask, mask), list(tail.trainable().values())),
    }
    losses = {}
    for way, (logits, parameters) in ways.items():
        optimiser = torch.optim.Adam(parameters, lr=0.01)
        losses[way] = []
        for step in range(5):
            torch.manual_seed(step)
            found = class_loss("single", logits(), targets)
            optimiser.zero_grad()
            found.backward()
            optimiser.step()
            losses[way].append(float(found.detach()))
    np.testing.assert_allclose(losses["cached"], losses["live"], rtol=1e-4)
    assert len(set(losses["live"])) == 5
    assert all(torch.equal(named[name], value) for name, value in frozen.items())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_learned_by_every_method_and_only_what_is_trainable_moves(kind, method):
    # A random encoder without norms on its path keeps tokens apart; most random ones make them all alike.
    tail = tail_of("modernbert", method=method, kind=kind, outputs=2 if kind == "span" else 3)
    states, mask = batch_of("modernbert")
    with torch.no_grad():
        logits = tail(states, mask, mask)
    assert logits.shape == {"tagging": (3, 9, 3), "span": (3, 9, 2)}.get(kind, (3, 3))
    trained = tail.trainable()
    wanted = {id(parameter) for parameter in trained.values()}
    assert {id(parameter) for parameter in tail.parameters() if parameter.requires_grad} == wanted
    before = {id(parameter): parameter.detach().clone() for parameter in tail.parameters()}
    optimiser = torch.optim.Adam(trained.values(), lr=0.01)
    with torch.no_grad():
        untrained = loss(kind, logits, mask)
    for _ in range(20):
        found = loss(kind, tail.train()(states, mask, mask), mask)
        optimiser.zero_grad()
        found.backward()
        optimiser.step()
    with torch.no_grad():
        assert loss(kind, tail.eval()(states, mask, mask), mask) < 0.95 * untrained
    moved = {id(parameter) for parameter in tail.parameters() if not torch.equal(parameter, before[id(parameter)])}
    assert moved == wanted


@pytest.mark.parametrize("pooling", ["mean", "max", "first", "last"])
def test_pooling_looks_where_it_is_told(pooling):
    tail = tail_of(options={"pooling": pooling})
    states, mask = batch_of("bert")
    pool = mask.clone()
    pool[:, :2] = 0
    with torch.no_grad():
        found = tail(states, mask, pool)
        right = tail.output(pooled(tail.upper(states, mask), pool, pooling))
        torch.testing.assert_close(found, right)
        assert not torch.allclose(found, tail(states, mask, mask)) or pooling == "last"


@pytest.mark.parametrize("family", ["bert", "t5", "modernbert", "qwen3", "albert"])
def test_a_cut_at_the_last_layer_leaves_an_output_layer_on_the_encoders_output(family):
    tail = tail_of(family, cut=LAYERS, kind="tagging")
    assert set(tail.trainable()) == {"output.weight", "output.bias"}
    states, mask = batch_of(family, LAYERS)
    ids, _ = inputs()
    with torch.no_grad():
        right = tail.output(run(tiny(family), ids, mask))
        torch.testing.assert_close(tail(states, mask, mask)[mask > 0], right[mask > 0], atol=1e-5, rtol=1e-5)
        assert tail(states.half(), mask, mask).dtype == torch.float32


def test_a_cut_at_0_trains_shared_layers_as_a_whole():
    tail = tail_of("albert", cut=0)
    assert "upper.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight" in tail.trainable()
    with pytest.raises(UsageError, match="above layer 2 it has no weights of its own to train: cut it at 0"):
        tail_of("albert", cut=2)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_trained_goes_out_and_in_and_holds_all_of_the_tail(method):
    states, mask = batch_of("bert")
    tail = tail_of(method=method)
    for parameter in tail.trainable().values():
        parameter.data += 0.1
    kept = tail.state()
    assert set(kept) == set(tail.trainable())
    other = tail_of(method=method, seed=2)
    with torch.no_grad():
        right = tail(states, mask, mask)
        assert not torch.allclose(other(states, mask, mask), right)
        other.load(kept)
        torch.testing.assert_close(other(states, mask, mask), right)
        for parameter in tail.trainable().values():  # what was given out is a copy
            parameter.zero_()
    assert kept["output.weight"].any()


def test_weights_that_do_not_fit_are_refused_and_change_nothing():
    tail = tail_of()
    before = tail.state()
    lacking = {name: value + 1 for name, value in before.items()}
    first = next(iter(lacking))
    del lacking[first]
    with pytest.raises(UsageError, match=f"lacks {first}; build it with the design it had"):
        tail.load(lacking)
    with pytest.raises(UsageError, match="has strange besides"):
        tail.load({**before, "strange": torch.zeros(1)})
    with pytest.raises(UsageError, match=r"output.bias is \[5\], not \[3\]"):
        tail.load({**before, "output.bias": torch.zeros(5)})
    assert all(torch.equal(value, before[name]) for name, value in tail.state().items())


@pytest.mark.parametrize("method", METHODS)
def test_a_tail_depends_on_its_seed_alone(method):
    torch.manual_seed(1)
    one = tail_of(method=method).state()
    torch.manual_seed(2)
    again = tail_of(method=method).state()
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(tail_of(method=method, seed=3).state()["output.weight"], one["output.weight"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"kind": "ranking"},
            "unknown kind of a tail 'ranking'; choose from: single, multi, regression, tagging, span",
        ),
        ({"method": "prompt"}, "unknown method of a tail 'prompt'; choose from: full, adapters, lora"),
        ({"outputs": 0}, "found 0 outputs for a tail, expected 1 or more"),
        ({"kind": "span", "outputs": 3}, "found 3 outputs for a span, expected 2"),
        ({"options": {"pooling": "own"}}, "unknown pooling of a tail 'own'; choose from: mean, max, first, last"),
        ({"options": {"width": 0}}, "found width 0 for a tail, expected 1 or more"),
        ({"options": {"dropout": 1.0}}, "found dropout 1.0 for a tail, expected 0 or more and less than 1"),
    ],
)
def test_a_design_that_cannot_be_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        tail_of(**changes)
