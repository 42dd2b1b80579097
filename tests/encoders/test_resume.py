"""The upper layers of every family, started from states of each layer, against the whole model."""

import copy
import threading

import pytest
import torch
import transformers

from embank.encoders.architectures import ANATOMY
from embank.encoders.resume import Upper
from embank.errors import EncoderError, UsageError
from material.families import FAMILIES, LAYERS, SETTINGS, WHOLE, WIDTH, all_states, inputs, run, tiny

SHARED = {
    "t5": "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
    "mt5": "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
    "mpnet": "encoder.relative_attention_bias.weight",
    "deberta": "encoder.rel_embeddings.weight",
    "deberta-v2": "encoder.rel_embeddings.weight",
}


def layers_of(model, family):
    for name in ANATOMY[family].layers.split("."):
        model = getattr(model, name)
    return model


def test_every_family_of_the_table_is_tried():
    assert set(SETTINGS) == set(ANATOMY)


@pytest.mark.parametrize("padded", [True, False], ids=["padded", "unpadded"])
@pytest.mark.parametrize("family", FAMILIES)
def test_resumed_at_every_layer_equals_the_uncut_model(family, padded):
    ids, mask = inputs(padded=padded)
    model = tiny(family)
    states = all_states(model, ids, mask)
    with torch.no_grad():
        right = run(model, ids, mask)
        for cut in range(LAYERS + 1):
            upper = Upper(copy.deepcopy(model), cut, LAYERS)
            found = upper(states[cut], mask)
            assert found.shape == right.shape
            torch.testing.assert_close(found[mask > 0], right[mask > 0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_stands_in_padding_and_how_much_of_it_does_not_matter(family):
    ids, mask = inputs()
    model = tiny(family)
    states = all_states(model, ids, mask)[2]
    upper = Upper(model, 2, LAYERS)
    longer = torch.nn.functional.pad(mask, (0, 3))
    garbage = torch.nn.functional.pad(states, (0, 0, 0, 3)) + 9.0 * (longer == 0).unsqueeze(-1)
    with torch.no_grad():
        right = upper(states, mask)
        torch.testing.assert_close(upper(garbage, longer)[longer > 0], right[mask > 0], atol=1e-5, rtol=1e-5)
        alone = upper(states[1:2, :4], mask[1:2, :4])
        torch.testing.assert_close(alone, right[1:2, :4], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", WHOLE)
def test_what_is_owned_is_what_the_upper_layers_and_the_final_norm_have_to_themselves(family):
    model = tiny(family)
    full = dict(model.named_parameters())
    anatomy = ANATOMY[family]
    upper = Upper(model, 2, LAYERS)
    places = (f"{anatomy.layers}.2.", f"{anatomy.layers}.3.", *([f"{anatomy.norm}."] if anatomy.norm else []))
    assert set(upper.owned()) == {name for name in full if name.startswith(places)}
    assert all(upper.owned()[name] is full[name] for name in upper.owned())
    assert SHARED.get(family) not in upper.owned()
    assert family not in SHARED or SHARED[family] in full


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("cut", [0, 2])
def test_gradient_reaches_what_is_owned_and_nothing_else(family, cut):
    ids, mask = inputs()
    model = tiny(family)
    upper = Upper(model, cut, LAYERS)
    states = all_states(tiny(family), ids, mask)[cut]
    owned = upper.owned()
    assert {id(parameter) for parameter in upper.parameters() if parameter.requires_grad} == set(
        map(id, owned.values())
    )
    if not owned:
        assert ANATOMY[family].shared
        return
    # A plain sum would not do: after a norm it is the same whatever goes in.
    (
        upper(states, mask)[mask > 0] * torch.linspace(-1, 1, int(mask.sum()) * WIDTH).sin().view(-1, WIDTH)
    ).sum().backward()
    ungiven = {name for name, parameter in owned.items() if parameter.grad is None or not parameter.grad.any()}
    # A bias of keys moves all scores of a query alike, so its gradient is zero but for rounding.
    assert not ungiven, ungiven
    frozen = [parameter for parameter in upper.parameters() if not parameter.requires_grad]
    assert all(parameter.grad is None for parameter in frozen)


@pytest.mark.parametrize("cut", [1, 3])
def test_an_encoder_that_runs_one_layer_again_and_again_owns_nothing_above_a_cut(cut):
    assert Upper(tiny("albert"), cut, LAYERS).owned() == {}


def test_groups_of_shared_layers_are_resumed_and_owned_where_no_lower_layer_has_them():
    ids, mask = inputs()
    model = tiny("albert", num_hidden_groups=2)
    states = all_states(model, ids, mask)
    with torch.no_grad():
        right = run(model, ids, mask)
    for cut in range(LAYERS + 1):
        upper = Upper(copy.deepcopy(model), cut, LAYERS)
        torch.testing.assert_close(upper(states[cut], mask)[mask > 0], right[mask > 0], atol=1e-5, rtol=1e-5)
        groups = {name.split(".")[2] for name in upper.owned()}
        assert groups == {0: {"0", "1"}, 1: {"1"}, 2: {"1"}, 3: set(), 4: set()}[cut]


@pytest.mark.parametrize("family", FAMILIES)
def test_lower_layers_and_the_table_of_words_are_freed(family):
    model = tiny(family)
    whole = sum(parameter.numel() for parameter in model.parameters())
    lower = {
        id(parameter): parameter.numel() for layer in layers_of(model, family)[:3] for parameter in layer.parameters()
    }
    shared = dict(model.named_parameters()).get(SHARED.get(family))
    kept = sum(lower.values()) if ANATOMY[family].shared else lower.get(id(shared), 0)
    words = (SETTINGS[family]["vocab_size"] - 1) * model.get_input_embeddings().embedding_dim
    left = sum(parameter.numel() for parameter in Upper(model, 3, LAYERS).parameters())
    assert left == whole - sum(lower.values()) + kept - words
    assert not list(Upper(tiny(family), LAYERS, LAYERS).parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_only_upper_layers_are_put_into_training_mode(family):
    ids, mask = inputs()
    states = all_states(tiny(family), ids, mask)[2]
    upper = Upper(tiny(family), 2, LAYERS)
    plain = upper(states, mask).detach()
    assert upper.train().training
    training = {id(module) for module in upper.modules() if module.training} - {id(upper)}
    above = {id(module) for layer in (2, 3) for module in upper.layers[layer].modules()}
    assert training == above
    assert not torch.equal(upper(states, mask), plain)
    torch.testing.assert_close(upper.eval()(states, mask), plain)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_runs_under_bfloat16_autocast_from_float32_and_float16_states(family):
    ids, mask = inputs()
    states = all_states(tiny(family), ids, mask)[2]
    upper = Upper(tiny(family), 2, LAYERS)
    right = upper(states, mask).detach()
    with torch.autocast("cpu", torch.bfloat16):
        found = upper(states, mask)
        rounded = upper(states.half(), mask)
    for other in (found, rounded):
        cosine = torch.nn.functional.cosine_similarity(other.float()[mask > 0], right[mask > 0], dim=-1)
        assert cosine.min() > 0.99
    if upper.owned():
        found.float().square().sum().backward()
        assert all(
            parameter.grad.isfinite().all() for parameter in upper.owned().values() if parameter.grad is not None
        )


def test_two_threads_may_run_one_module_at_the_same_time():
    ids, mask = inputs()
    states = all_states(tiny("bert"), ids, mask)[1]
    upper = Upper(tiny("bert"), 1, LAYERS)
    with torch.no_grad():
        right = [upper(states * scale, mask) for scale in (1.0, 2.0)]
    wrong = []

    def work(scale, expected):
        with torch.no_grad():
            wrong.extend(scale for _ in range(20) if not torch.equal(upper(states * scale, mask), expected))

    threads = [threading.Thread(target=work, args=pair) for pair in zip((1.0, 2.0), right, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_copy_runs_by_itself():
    ids, mask = inputs()
    states = all_states(tiny("qwen3"), ids, mask)[3]
    upper = Upper(tiny("qwen3"), 3, LAYERS)
    twin = copy.deepcopy(upper)
    with torch.no_grad():
        right = upper(states, mask)
        for parameter in upper.owned().values():
            parameter.zero_()
        torch.testing.assert_close(twin(states, mask), right)
    assert set(map(id, twin.owned().values())) <= set(map(id, twin.parameters()))


@pytest.mark.parametrize("family", [family for family in FAMILIES if ANATOMY[family].positions is not None])
def test_a_batch_may_be_filled_up_beyond_the_table_of_positions(family):
    ids, mask = inputs()
    states = all_states(tiny(family), ids, mask)[2]
    upper = Upper(tiny(family), 2, LAYERS)
    more = SETTINGS[family]["max_position_embeddings"]
    with torch.no_grad():
        long = upper(torch.nn.functional.pad(states, (0, 0, 0, more)), torch.nn.functional.pad(mask, (0, more)))
        torch.testing.assert_close(long[:, :9][mask > 0], upper(states, mask)[mask > 0], atol=1e-5, rtol=1e-5)


def test_a_convolution_beside_layer_0_allows_all_cuts_but_0():
    ids, mask = inputs()
    model = tiny("deberta-v2", conv_kernel_size=3)
    states = all_states(model, ids, mask)
    with torch.no_grad():
        right = run(model, ids, mask)
        for cut in range(1, LAYERS + 1):
            found = Upper(copy.deepcopy(model), cut, LAYERS)(states[cut], mask)
            torch.testing.assert_close(found[mask > 0], right[mask > 0], atol=1e-5, rtol=1e-5)
    with pytest.raises(
        UsageError, match="deberta-v2 convolves over its embeddings beside layer 0: cut it at 1 or higher"
    ):
        Upper(model, 0, LAYERS)


def test_a_family_outside_the_table_is_refused_with_what_still_works():
    model = transformers.FNetModel(transformers.FNetConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1))
    with pytest.raises(UsageError, match="'fnet' cannot be cut at a layer, so tails do not work.*pooled vectors.*bert"):
        Upper(model, 0, 1)


def test_a_cut_outside_the_model_is_refused():
    with pytest.raises(UsageError, match="cannot start at layer 5 of 4: give 0 to 4"):
        Upper(tiny("bert"), 5, LAYERS)
    with pytest.raises(EncoderError, match="this bert has 4 layers, not 6"):
        Upper(tiny("bert"), 2, 6)
