"""Keys and values before an encoder's own: none change nothing, padding changes nothing, no family ignores them."""

import re
from pathlib import Path

import pytest
import torch
from transformers import AttentionInterface

from embank.encoders.capture import states
from embank.encoders.prefix.attention import Prefix, accept_prefixes, captured_attention, prefixed, takes_prefixes
from embank.errors import UsageError
from material.families import FAMILIES, LAYERS, WIDTH, filled, inputs, run, tiny

TAKING = [family for family in FAMILIES if takes_prefixes(family)]


def prefix(seed=0, length=3, from_layer=0, *, trained=False):
    generator = torch.Generator().manual_seed(seed)
    keys, values = (torch.randn(LAYERS - from_layer, length, WIDTH, generator=generator) for _ in range(2))
    return Prefix(keys.requires_grad_(trained), values.requires_grad_(trained), from_layer)


def reading(family):
    model = tiny(family).requires_grad_(requires_grad=False)
    accept_prefixes(model)
    return model


def last(model, ids, mask, *sets):
    with prefixed(model, sets):
        return run(model, ids, mask)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_takes_a_prefix_and_is_changed_by_it_or_refuses_it(family):
    if family not in TAKING:
        with pytest.raises(UsageError, match=f"{family}.*take no prefixes"):
            accept_prefixes(tiny(family))
        return
    ids, mask = inputs()
    model = reading(family)
    plain = run(model, ids, mask)
    for from_layer in range(LAYERS):  # every layer listens
        changed = last(model, ids, mask, [prefix(from_layer=from_layer)])
        assert (changed - plain)[mask > 0].abs().max() > 1e-3


def test_the_families_that_take_prefixes_are_listed():
    page = (Path(__file__).parents[3] / "docs" / "howto" / "prefixes.md").read_text(encoding="utf-8")
    listed = re.search(r"`config\.json`\): ([^.]*)\. Others", page)
    assert listed[1].replace("\n", " ").split(", ") == TAKING
    assert {"bert", "roberta", "xlm-roberta", "distilbert", "electra", "modernbert"} <= set(TAKING)


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("family", TAKING)
def test_without_a_prefix_the_encoder_is_the_plain_one_bit_for_bit(family, padded):
    ids, mask = inputs(padded=padded)
    expected = run(tiny(family), ids, mask)
    model = reading(family)
    assert torch.equal(run(model, ids, mask), expected)
    assert torch.equal(last(model, ids, mask, []), expected)
    assert torch.equal(last(model, ids, mask, [prefix(length=0)]), expected)


@pytest.mark.parametrize("family", TAKING)
def test_with_a_prefix_a_padded_batch_equals_unpadded_texts(family):
    ids, mask = inputs()
    model = reading(family)
    batch = last(model, ids, mask, [prefix(), prefix(1, 2, 2)])
    for row, length in enumerate(mask.sum(1).tolist()):
        alone = last(model, ids[row : row + 1, :length], mask[row : row + 1, :length], [prefix(), prefix(1, 2, 2)])
        torch.testing.assert_close(batch[row, :length], alone[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", TAKING)
def test_gradients_reach_every_key_and_value(family):
    ids, mask = inputs()
    trained = prefix(trained=True, from_layer=1)
    model = reading(family)
    last(model, ids, mask, [trained])[mask > 0].pow(2).sum().backward()
    for tensor in (trained.keys, trained.values):
        assert tensor.grad.abs().amin(dim=-1).max() > 0
        assert (tensor.grad.abs().amax(dim=-1) > 0).all()
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("family", TAKING)
def test_a_prefix_shifts_no_position(family):
    ids, mask = inputs()
    model = reading(family)
    with captured_attention() as plain:
        run(model, ids, mask)
    with captured_attention() as under:
        last(model, ids, mask, [prefix()])
    # Keys and values of the first layer's own tokens come from embeddings and positions alone.
    for one, other in zip(plain[0], under[0], strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(plain[1][0], under[1][0])


@pytest.mark.parametrize("family", TAKING)
def test_the_order_of_prefixes_is_of_no_account_and_they_share_what_one_takes_of_the_attention(family):
    ids, mask = inputs()
    model = reading(family)
    one, other = prefix(0), prefix(1)
    expected = last(model, ids, mask, [one, other])
    torch.testing.assert_close(last(model, ids, mask, [other, one]), expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(last(model, ids, mask, [one]), expected, atol=1e-3)
    alone = last(model, ids, mask, [one])
    torch.testing.assert_close(last(model, ids, mask, [one] * 3), alone, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(last(model, ids, mask, [one, prefix(length=0)]), alone, atol=1e-4, rtol=1e-4)
    long = Prefix(torch.cat([one.keys] * 3, 1), torch.cat([one.values] * 3, 1))
    assert not torch.allclose(last(model, ids, mask, [long]), alone, atol=1e-3), "a longer one takes more"


def test_attention_to_several_prefixes_is_that_of_the_formula():
    model, heads, length = reading("bert"), 2, 4
    depth = WIDTH // heads
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, heads, length, depth, generator=generator) for _ in range(3))
    looks = torch.tensor([True, True, True, False]).expand(1, 1, length, length)
    one, other = prefix(0, 2), prefix(1, 5)
    layer = torch.nn.Module()
    layer.embank_layer, layer.is_causal = 1, False
    with prefixed(model, [[one, other]]):
        found, _ = AttentionInterface()["embank_prefixed"](layer, query, key, value, looks)

    def split(part):
        return part[1].view(-1, heads, depth).transpose(0, 1)

    for head in range(heads):
        keys = [split(one.keys)[head], split(other.keys)[head], key[0, head, :3]]
        values = torch.cat([split(one.values)[head], split(other.values)[head], value[0, head, :3]])
        weights = [(query[0, head] @ part.T / depth**0.5).exp() / of for part, of in zip(keys, (2, 2, 1), strict=True)]
        joined = torch.cat(weights, 1)
        expected = joined @ values / joined.sum(1, keepdim=True)
        torch.testing.assert_close(found[0, :, head], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("lowest", [0, 2])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("family", TAKING)
def test_several_sets_of_prefixes_in_one_pass_are_what_they_are_alone(family, padded, lowest):
    ids, mask = inputs(padded=padded)
    model = reading(family)
    sets = [[prefix(0, 3, lowest)], [prefix(1, 5, 3)], [prefix(2, 2, lowest), prefix(3, 1, lowest)]]
    given = {"input_ids": filled(model, ids, mask), "attention_mask": mask}
    with torch.no_grad(), prefixed(model, sets):
        found = states(model, given, range(LAYERS + 1), LAYERS)
    for layer, state in enumerate(found):
        assert len(state) == (3 if layer < lowest else 9)
    for number, chosen in enumerate(sets):
        with torch.no_grad(), prefixed(model, [chosen]):
            alone = states(model, given, range(LAYERS + 1), LAYERS)
        for layer in range(lowest, LAYERS + 1):
            mine = found[layer][3 * number : 3 * number + 3]
            torch.testing.assert_close(mine[mask > 0], alone[layer][mask > 0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_states_below_the_first_prefix_are_the_plain_ones_bit_for_bit(family):
    ids, mask = inputs()
    model = reading(family)
    given = {"input_ids": filled(model, ids, mask), "attention_mask": mask}
    with torch.no_grad():
        plain = states(model, given, range(3), LAYERS)
        with prefixed(model, [[prefix(from_layer=2)]]):
            found = states(model, given, range(3), LAYERS)
    assert all(torch.equal(one, other) for one, other in zip(plain, found, strict=True))


def test_the_sliding_window_of_modernbert_hides_no_prefix():
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(5, 97, (1, 30), generator=generator)
    model = reading("modernbert")
    layer = next(at for at, kind in enumerate(model.config.layer_types) if kind == "sliding_attention")
    given = prefix()
    for part in (given.keys, given.values):
        part[:layer] = 0
        part[layer + 1 :] = 0
    none = Prefix(torch.zeros_like(given.keys), torch.zeros_like(given.values))
    with torch.no_grad():
        found = []
        for one in (given, none):
            with prefixed(model, [[one]]):
                found += states(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, [layer + 1], LAYERS)
    assert ((found[0] - found[1]).abs().amax(-1) > 1e-4).all()  # tokens far from the start as well


def test_a_prefix_of_another_shape_is_refused():
    model = reading("bert")
    wrong = Prefix(torch.zeros(LAYERS, 2, WIDTH + 1), torch.zeros(LAYERS, 2, WIDTH + 1))
    with pytest.raises(UsageError, match="expected"), prefixed(model, [[wrong]]):
        pass
