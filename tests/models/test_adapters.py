"""Where the table says that blocks end, and adapters there."""

from functools import reduce

import pytest
import torch

from embank.encoders.architectures import ANATOMY
from embank.encoders.resume import Upper
from embank.errors import UsageError
from embank.models.adapters import add_adapters
from material.families import FAMILIES, LAYERS, SETTINGS, WHOLE, WIDTH, all_states, inputs, tiny


def upper_of(family, cut=2):
    """Upper layers, the states that they start from, and the mask."""
    ids, mask = inputs()
    model = tiny(family)
    states = all_states(model, ids, mask)[cut]
    return Upper(model, cut, LAYERS), states, mask


def linear(upper, number, path):
    found = reduce(getattr, path.split("."), upper.layers[number])
    assert type(found) is torch.nn.Linear
    return found


def moved_by_another_token(upper, states, mask):
    """How far the outputs of a token move when the one before it changes."""
    changed = states.clone()
    changed[:, 1] += 3.0 * torch.linspace(-1, 1, WIDTH).sin()
    with torch.no_grad():
        return float((upper(changed, mask)[:, 2] - upper(states, mask)[:, 2]).abs().max())


@pytest.mark.parametrize("family", WHOLE)
def test_the_table_names_the_linear_that_ends_attention(family):
    upper, states, mask = upper_of(family, LAYERS - 1)
    ending = linear(upper, LAYERS - 1, ANATOMY[family].attention_out)
    assert ending.out_features == WIDTH
    assert moved_by_another_token(upper, states, mask) > 1e-3
    for parameter in ending.parameters():
        parameter.data.zero_()
    assert moved_by_another_token(upper, states, mask) == 0.0


@pytest.mark.parametrize("family", WHOLE)
def test_the_table_names_the_linear_that_ends_the_feed_forward_block(family):
    upper, _, _ = upper_of(family)
    ending = linear(upper, 2, ANATOMY[family].feed_forward_out)
    settings = SETTINGS[family]
    inner = settings.get("intermediate_size") or settings.get("hidden_dim") or settings["d_ff"]
    assert (ending.in_features, ending.out_features) == (inner, WIDTH)


@pytest.mark.parametrize("family", WHOLE)
def test_adapters_change_nothing_at_first(family):
    upper, states, mask = upper_of(family)
    with torch.no_grad():
        before = upper(states, mask)
        trained = add_adapters(upper, 6, seed=1)
        torch.testing.assert_close(upper(states, mask), before, atol=0, rtol=0)
        # Not the same for every cell: a norm that follows would take that out again.
        trained[next(name for name in trained if name.endswith("up.bias"))].copy_(torch.linspace(-1, 1, WIDTH))
        assert not torch.allclose(upper(states, mask), before, atol=1e-3)


@pytest.mark.parametrize("family", WHOLE)
def test_gradient_reaches_adapters_and_norms_of_upper_layers_and_nothing_else(family):
    upper, states, mask = upper_of(family)
    trained = add_adapters(upper, 6, seed=1)
    anatomy = ANATOMY[family]
    for number in (2, 3):
        for path in (anatomy.attention_out, anatomy.feed_forward_out):
            parts = {f"{anatomy.layers}.{number}.{path}.{part}" for part in ("down.weight", "down.bias", "up.weight")}
            assert parts < set(trained)
    assert {"entry.down.weight", "entry.down.bias", "entry.up.weight", "entry.up.bias"} < set(trained)
    assert all(name.startswith((f"{anatomy.layers}.2.", f"{anatomy.layers}.3.", "entry.")) for name in trained)
    norms = [name for name in trained if ".down." not in name and ".up." not in name]
    assert norms
    assert set(norms) <= {name for name, _ in tiny(family).named_parameters()}
    wanted = {id(parameter) for parameter in trained.values()}
    assert {id(parameter) for parameter in upper.parameters() if parameter.requires_grad} == wanted
    for parameter in trained.values():  # away from zeros, so that gradient passes through every part
        parameter.data += 0.1 * torch.linspace(-1, 1, parameter.numel()).cos().view(parameter.shape)
    (upper(states, mask)[mask > 0] * torch.linspace(-1, 1, WIDTH).sin()).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in trained.values())
    assert all(parameter.grad is None for parameter in upper.parameters() if id(parameter) not in wanted)


@pytest.mark.parametrize("family", WHOLE)
def test_the_adapter_at_the_entry_decides_to_what_the_first_layer_attends(family):
    upper, states, mask = upper_of(family, LAYERS - 1)  # one layer, so nothing else stands before its attention
    trained = add_adapters(upper, 6, seed=1)
    for path in (ANATOMY[family].attention_out, ANATOMY[family].feed_forward_out):
        assert reduce(getattr, path.split("."), upper.layers[LAYERS - 1]).up.weight.abs().max() == 0
    entered = []
    upper.layers[LAYERS - 1].register_forward_pre_hook(
        lambda _, given, named: entered.append(given[0] if given else named["hidden_states"]), with_kwargs=True
    )
    with torch.no_grad():
        trained["entry.up.bias"].copy_(torch.linspace(-1, 1, WIDTH))
        upper(states, mask)
    torch.testing.assert_close(entered[-1], states + torch.linspace(-1, 1, WIDTH))


def test_first_weights_depend_on_the_seed_alone_and_leave_the_random_numbers_of_torch_as_they_are():
    torch.manual_seed(5)
    right = torch.rand(3)
    torch.manual_seed(5)
    one = add_adapters(upper_of("bert")[0], 6, seed=1)
    assert torch.equal(torch.rand(3), right)
    again = add_adapters(upper_of("bert")[0], 6, seed=1)
    other = add_adapters(upper_of("bert")[0], 6, seed=2)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - set(WHOLE)))
def test_shared_layers_are_refused(family):
    with pytest.raises(
        UsageError, match="albert runs the same layer at every depth, so adapters .* lower ones as well"
    ):
        add_adapters(upper_of(family)[0], 6, seed=1)


def test_no_layer_to_adapt_is_refused():
    with pytest.raises(UsageError, match="starts at layer 4 of 4 has no layer for adapters: cut lower"):
        add_adapters(upper_of("bert", LAYERS)[0], 6, seed=1)
